"""Gated attention of a single head, near and far.

Axes: B examples, T steps, W width, G groups of steps, S steps of a group, Z units of a query, V units of a value.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .attention import Rotary, later
from .base import Port, ShelfModule
from .shares import ATTENTION
from .steps import ConvolvedMap, shifted

TURNED = 32
"""Units of queries and keys that rotary positions turn, at most."""


class GatedAttention(ShelfModule):
    """The gated single-head attention of MossFormer2 (Zhao et al., arXiv 2312.11825), after FLASH (arXiv 2202.10447).

    One map gives z, of which four scaled and shifted copies are queries and keys: two attend within groups of steps by
    relu(q·k/group)², two between all by linear attention q·(kᵀv)/T; `reach` leaves out either. The same weights A mix
    v and u: x + map((A·u ⊙ v) ⊙ σ(A·v ⊙ u)). Before, half of the units are those of one step before.

    Deviations: layer normalisation, no dropout; a group is at most half of the steps. Where no step may look at a later
    one, linear attention sees the groups before, and convolutions look back alone.
    """

    ports = ("tokens",)
    genes = Struct(
        queries=Choice(32, 64, 128),
        values=Choice(1, 2),
        group=Choice(8, 16, 32),
        reach=Choice("both", "local", "global"),
    )
    metrics = ATTENTION

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return SingleHead(port, genes["queries"], genes["values"] * port.width, genes["group"], genes["reach"])


class SingleHead(nn.Module):
    """(B, T, W) to itself."""

    def __init__(self, port: Port, queries: int, values: int, group: int, reach: str) -> None:
        super().__init__()
        steps = port.size[0]
        self.causal, self.group = port.causal, max(1, min(group, math.ceil(steps / 2)))
        self.padding = -steps % self.group
        self.local, self.across = reach != "global", reach != "local"
        copies = 4 if reach == "both" else 2
        self.values, self.queries = ConvolvedMap(port, port.width, 2 * values), ConvolvedMap(port, port.width, queries)
        self.scale = nn.Parameter(0.02 * torch.randn(copies, queries))
        self.shift = nn.Parameter(torch.zeros(copies, queries))
        self.turned = min(TURNED, queries)
        self.turn = Rotary(steps, self.turned)
        self.out = ConvolvedMap(port, values, port.width)

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Every step attends."""
        return {"attention_share": x_BTW.new_ones(())}

    def forward(self, x_BTW: Tensor) -> Tensor:
        moved_BTW = shifted(x_BTW)
        values_BTV, z_BTZ = self.values(moved_BTW), self.queries(moved_BTW)
        mixed_BTV = self._mixed(self._copies(z_BTZ), values_BTV)
        (v, u), (mixed_v, mixed_u) = values_BTV.chunk(2, -1), mixed_BTV.chunk(2, -1)
        return x_BTW + self.out((mixed_u * v) * (mixed_v * u).sigmoid())

    def _copies(self, z_BTZ: Tensor) -> list[Tensor]:
        """Queries and keys, each (B, G, S, Z)."""
        turned = []
        for scale, shift in zip(self.scale.unbind(), self.shift.unbind(), strict=True):
            copy = z_BTZ * scale + shift
            copy = torch.cat([self.turn(copy[..., : self.turned]), copy[..., self.turned :]], -1)
            turned.append(self._grouped(copy))
        return turned

    def _mixed(self, copies: list[Tensor], values_BTV: Tensor) -> Tensor:
        """What attention makes of all values: (B, T, V)."""
        steps, v_BGSV = values_BTV.shape[1], self._grouped(values_BTV)
        mixed_BGSV = torch.zeros_like(v_BGSV)
        if self.local:
            weights_BGSS = (copies[0] @ copies[1].mT / self.group).relu().square()
            if self.causal:
                weights_BGSS = weights_BGSS.masked_fill(later(weights_BGSS), 0)
            mixed_BGSV = mixed_BGSV + weights_BGSS @ v_BGSV
        if self.across:
            summed_BGZV = copies[-1].mT @ v_BGSV / steps
            if self.causal:
                summed_BGZV = summed_BGZV.cumsum(1) - summed_BGZV
            else:
                summed_BGZV = summed_BGZV.sum(1, keepdim=True)
            mixed_BGSV = mixed_BGSV + copies[-2] @ summed_BGZV
        return mixed_BGSV.flatten(1, 2)[:, :steps]

    def _grouped(self, x_BTW: Tensor) -> Tensor:
        """(B, G, S, W), filled up with zeros, which neither give nor take."""
        return nn.functional.pad(x_BTW, (0, 0, 0, self.padding)).unflatten(1, (-1, self.group))
