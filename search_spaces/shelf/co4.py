"""Attention over few rows that latent vectors modulate.

Axes: B examples, T steps, L latent rows, K chosen rows, W width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .shares import ATTENTION


class Co4(ShelfModule):
    """Triadic modulation of queries, keys and values, then attention over a few rows (Co4, arXiv 2505.06257).

    Learnt latent rows give q, k and v through the maps that give steps their Q, K and V. Each modulates the others:
    q⊙K + Q, k⊙Q + K, and V² + 2V + (q⊙k)(1 + |v|). Of each, every feature keeps its `rows` largest steps, so that a
    row mixes steps. Softmax attention with one head, over the latent rows and these, costs the same for any number of
    steps. Its results replace, feature by feature, the modulated values of the steps that they came from; there is no
    map behind. As every feature chooses among all steps, it is not causal.

    Deviations: `latents` other than 1 modulate with their mean; `rows` is at most the number of steps, and was 12; the
    residual connection, and that maps are shared by latents and steps, are ours (what the code does is not verified).

    Metric: `attention_share`, the share of steps that a feature attends with.
    """

    ports = ("tokens",)
    causal = False
    genes = Struct(rows=Choice(4, 8, 12, 16), latents=Choice(1, 2, 4))
    metrics = ATTENTION

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return TriadicModulation(port, genes["rows"], genes["latents"])


class TriadicModulation(nn.Module):
    """(B, T, W) to itself.

    Args:
        port: of tokens.
        rows: K, at most T are chosen.
        latents: L.
    """

    def __init__(self, port: Port, rows: int, latents: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.latents = nn.Parameter(torch.randn(latents, port.width))
        self.queries_keys_values = nn.Linear(port.width, 3 * port.width, bias=False)
        (self.steps,) = port.size
        self.rows = min(rows, self.steps)

    def forward(self, x_BTW: Tensor) -> Tensor:
        q_LW, k_LW, v_LW = self.queries_keys_values(self.latents).chunk(3, -1)
        q_W, k_W, v_W = q_LW.mean(-2), k_LW.mean(-2), v_LW.mean(-2)
        q_BTW, k_BTW, v_BTW = self.queries_keys_values(self.norm(x_BTW)).chunk(3, -1)
        modulated_BTW = v_BTW.square() + 2 * v_BTW + q_W * k_W * (1 + v_W.abs())
        q_BKW = (q_W * k_BTW + q_BTW).topk(self.rows, -2).values
        k_BKW = (k_W * q_BTW + k_BTW).topk(self.rows, -2).values
        v_BKW, steps_BKW = modulated_BTW.topk(self.rows, -2)
        keys_BRW, values_BRW = with_latents(k_LW, k_BKW), with_latents(v_LW, v_BKW)
        scores_BKR = q_BKW @ keys_BRW.mT / math.sqrt(x_BTW.shape[-1])  # nobody reads what latent queries would give
        return x_BTW + modulated_BTW.scatter(-2, steps_BKW, scores_BKR.softmax(-1) @ values_BRW)

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """The same for all examples."""
        return {"attention_share": x_BTW.new_tensor(self.rows / self.steps)}


def with_latents(latents_LW: Tensor, rows_BKW: Tensor) -> Tensor:
    """(B, L + K, W): latent rows, the same for all examples, and an example's own."""
    return torch.cat([latents_LW.expand(*rows_BKW.shape[:-2], *latents_LW.shape), rows_BKW], -2)
