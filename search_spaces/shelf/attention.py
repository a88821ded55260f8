"""Attention over steps.

Axes: B examples, H heads, T steps, C units of a head, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .angles import angles
from .base import ModuleStack, Port, ShelfModule
from .constants import Constant
from .shares import ATTENTION
from .stack import StackOfModules, groups_of, normalised
from .watching import Watched


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

    def stack(self, genes: Sequence[Genotype], port: Port) -> ModuleStack:
        return StackedAttention([SoftmaxAttention(port, one["heads"], one["rotary"]) for one in genes])


class SoftmaxAttention(nn.Module):
    """(B, T, W) to itself."""

    def __init__(self, port: Port, heads: int, rotary: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.queries_keys_values = nn.Linear(port.width, 3 * port.width, bias=False)
        self.out = nn.Linear(port.width, port.width, bias=False)
        self.mix = Mixing(port, heads, rotary)

    def forward(self, x_BTW: Tensor) -> Tensor:
        return x_BTW + self.out(self.mix(self.queries_keys_values(self.norm(x_BTW))))

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Every step attends."""
        return {"attention_share": x_BTW.new_ones(())}


class StackedAttention(StackOfModules):
    """N of one port: the linear maps of all are one product, and attention is called once for each kind.

    Args:
        modules: N.
    """

    def __init__(self, modules: Sequence[SoftmaxAttention]) -> None:
        super().__init__(modules[0], len(modules))
        self.kinds = groups_of([(one.mix.heads, isinstance(one.mix.turn, Rotary)) for one in modules])
        self.mixing = nn.ModuleList(modules[rows[0]].mix for rows in self.kinds)
        order = [row for rows in self.kinds for row in rows]
        self.rows = [Constant(np.array(rows)) for rows in self.kinds]
        self.back = Constant(np.argsort(order))

    def forward(self, x_NBTW: Tensor) -> Tensor:
        normal = normalised(x_NBTW, self["norm.weight"], self["norm.bias"])
        parts_NBTV = (normal.flatten(1, 2) @ self["queries_keys_values.weight"].mT).unflatten(1, x_NBTW.shape[1:3])
        mixed = [
            mixing(parts_NBTV[rows.on(x_NBTW.device)].flatten(0, 1)).unflatten(0, (len(kind), -1))
            for mixing, kind, rows in zip(self.mixing, self.kinds, self.rows, strict=True)
        ]
        mixed_NBTW = mixed[0] if len(mixed) == 1 else torch.cat(mixed)[self.back.on(x_NBTW.device)]
        return x_NBTW + (mixed_NBTW.flatten(1, 2) @ self["out.weight"].mT).unflatten(1, x_NBTW.shape[1:3])

    def predict(self, x_NBTW: Tensor) -> tuple[Tensor, list[Watched]]:
        """As `forward`; every step attends."""
        return self(x_NBTW), [Watched(observed={"": {"attention_share": x_NBTW.new_ones(())}}) for _ in x_NBTW]


class Mixing(nn.Module):
    """Attention between the linear maps, without parameters: queries, keys and values (B, T, 3 W) to (B, T, W)."""

    def __init__(self, port: Port, heads: int, rotary: bool) -> None:
        super().__init__()
        self.turn = Rotary(port.size[0], port.width // heads) if rotary else nn.Identity()
        self.heads, self.causal = heads, port.causal

    def forward(self, parts_BTV: Tensor) -> Tensor:
        q_BHTC, k_BHTC, v_BHTC = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for part in parts_BTV.chunk(3, -1)
        )
        mixed_BHTC = nn.functional.scaled_dot_product_attention(
            self.turn(q_BHTC), self.turn(k_BHTC), v_BHTC, is_causal=self.causal
        )
        return mixed_BHTC.transpose(-3, -2).flatten(-2)


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
        turned = angles(0, steps, units)
        self.register_buffer("cosines", turned.cos().float(), persistent=False)
        self.register_buffer("sines", turned.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return torch.cat([first * self.cosines - second * self.sines, second * self.cosines + first * self.sines], -1)
