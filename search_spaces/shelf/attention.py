"""Attention over steps.

Axes: B examples, H heads, T steps, C units of a head, W width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .shares import ATTENTION


class Attention(ShelfModule):
    """Softmax attention of several heads over all steps (Vaswani et al., arXiv 1706.03762), on normalised input.

    `rotary` turns queries and keys by angles that grow with their positions (RoFormer, Su et al., arXiv 2104.09864).
    Deviations: no feed-forward layer, which is a module of its own; no dropout; no biases but the normalisation's,
    which goes before (Xiong et al., arXiv 2002.04745).
    """

    ports = ("tokens",)
    genes = Struct(heads=Choice(1, 2, 4), rotary=Choice(False, True))
    metrics = ATTENTION

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return SoftmaxAttention(port, genes["heads"], genes["rotary"])


class SoftmaxAttention(nn.Module):
    """(B, T, W) to itself."""

    def __init__(self, port: Port, heads: int, rotary: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.queries_keys_values = nn.Linear(port.width, 3 * port.width, bias=False)
        self.out = nn.Linear(port.width, port.width, bias=False)
        self.turn = Rotary(port.size[0], port.width // heads) if rotary else nn.Identity()
        self.heads, self.causal = heads, port.causal

    def forward(self, x_BTW: Tensor) -> Tensor:
        q_BHTC, k_BHTC, v_BHTC = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in self.queries_keys_values(self.norm(x_BTW)).chunk(3, -1)
        )
        scores_BHTT = self.turn(q_BHTC) @ self.turn(k_BHTC).mT / math.sqrt(q_BHTC.shape[-1])
        if self.causal:
            scores_BHTT = scores_BHTT.masked_fill(later(scores_BHTT), -torch.inf)
        mixed_BHTC = scores_BHTT.softmax(-1) @ v_BHTC
        return x_BTW + self.out(mixed_BHTC.transpose(-3, -2).flatten(-2))

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Every step attends."""
        return {"attention_share": x_BTW.new_ones(())}


def later(scores: Tensor) -> Tensor:
    """(T, T) bool: where the key, along the last axis, comes after the query."""
    steps = scores.shape[-1]
    return torch.ones(steps, steps, dtype=torch.bool, device=scores.device).triu(1)


class Rotary(nn.Module):
    """Turns pairs of units by angles that grow with the step: (..., T, C) to itself, C even."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, steps: int, units: int) -> None:
        super().__init__()
        rates = 10_000 ** (-torch.arange(0, units, 2, dtype=torch.float64) / units)
        angles = torch.arange(steps, dtype=torch.float64)[:, None] * rates
        self.register_buffer("cosines", angles.cos().float(), persistent=False)
        self.register_buffer("sines", angles.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return torch.cat([first * self.cosines - second * self.sines, second * self.cosines + first * self.sines], -1)
