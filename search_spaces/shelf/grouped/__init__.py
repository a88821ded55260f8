"""Groups of units, dense inside and sparse between, whose links are rewired.

Axes: B examples (and steps), U units, F units that they read, H hidden units, W width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...genes import Choice, Genotype, Integer, Real, Struct
from ..base import Port, ShelfModule
from ..shares import DENSITY, DENSITY_ELSEWHERE
from .rewiring import SparseLinear

DECIMALS = 6
"""Of cosines."""


class Grouped(ShelfModule):
    """A feed-forward layer in groups of units, dense inside and sparse between, some of whose links are replaced.

    After G2GNet (Konstantaropoulos et al., arXiv 2508.14140). Units belong to groups; a unit reads all of its own
    group, and of the links between groups a share `between` is there, at random: with 8 groups and 0.15, a quarter of
    all. At each rewiring a share `fraction` of the links is pruned, by magnitude, by chance, or where the activities of
    their ends are least alike (Hebbian); as many regrow where these are most alike, by the cosine over the last
    minibatch. What a "mixed" grouping is, and Hebbian pruning, are not verified: here half of the units are grouped by
    their index and half at random, and the least cosine goes.

    Deviations: two such layers, in and out, on normalised input, with a residual connection; rewired six times in a
    training, not every 1,000 steps; links that were just pruned do not regrow at once; chances follow from the step.
    """

    ports = ("vector", "tokens")
    genes = Struct(
        hidden=Integer(16, 128, log=True),
        groups=Choice(2, 4, 8),
        between=Real(0.05, 0.4),
        grouping=Choice("index", "random", "mixed"),
        pruning=Choice("magnitude", "chance", "hebbian"),
        fraction=Real(0.01, 0.1, log=True),
    )
    metrics = DENSITY
    elsewhere = DENSITY_ELSEWHERE

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return GroupedFeedForward(port.width, **genes)


class GroupedFeedForward(nn.Module):
    """(..., W) to itself through H hidden units."""

    def __init__(
        self, width: int, hidden: int, groups: int, between: float, grouping: str, pruning: str, fraction: float
    ) -> None:
        super().__init__()
        outer_W, inner_H = (groups_of(units, groups, grouping) for units in (width, hidden))
        links = links_of(width, hidden, groups, between)
        self.norm = nn.LayerNorm(width)
        self.up = HebbianLinear(linked(inner_H, outer_W, links), links, pruning, fraction)
        self.down = HebbianLinear(linked(outer_W, inner_H, links), links, pruning, fraction)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        hidden = torch.relu(self.up(normed))
        output = self.down(hidden)
        if self.training:
            self.up.watch(normed, hidden)
            self.down.watch(hidden, output)
        return x + output

    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """Share of weights that are present."""
        masks = [self.up.mask, self.down.mask]
        present = torch.stack([mask.sum() for mask in masks]).sum()
        return {"density": present.to(x.dtype) / sum(mask.numel() for mask in masks)}


class HebbianLinear(SparseLinear):
    """A linear map whose links are rewired by the activities at their ends; whoever calls it says which these are.

    Args:
        mask: (U, F), 1 where there is a link at the start.
        links: how many there are.
        pruning: "magnitude", "chance" or "hebbian".
        fraction: share of the links that is replaced at each rewiring.
    """

    def __init__(self, mask: Tensor, links: int, pruning: str, fraction: float) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.keep(mask, links, min(round(fraction * links), mask.numel() - links))
        self.pruning = pruning
        self._activities: tuple[Tensor, Tensor] | None = None

    def watch(self, before: Tensor, after: Tensor) -> None:
        """Keep the activities (..., F) and (..., U) of a minibatch."""
        self._activities = before.detach().flatten(0, -2), after.detach().flatten(0, -2)

    def promise(self) -> Tensor:
        """The cosine of the activities at both ends of each link, over the last minibatch.

        It is rounded: units that are active at one and the same example alone are equals, which rounding errors, other
        ones in a stack, would put in some order.
        """
        assert self._activities is not None
        before_BF, after_BU = (nn.functional.normalize(activity, dim=0) for activity in self._activities)
        return (after_BU.T @ before_BF).round(decimals=DECIMALS)

    def worth(self, step: int) -> Tensor:
        if self.pruning == "hebbian":
            return self.promise()
        if self.pruning == "chance":
            lots = torch.rand(self.weight.shape, generator=torch.Generator().manual_seed(step))
            return lots.to(self.weight)
        return self.weight.abs()


def groups_of(units: int, groups: int, grouping: str) -> Tensor:
    """The group of each unit: (units,) int64; groups are of nearly equal size.

    Args:
        units: how many.
        groups: how many.
        grouping: "index", "random", or "mixed": every second unit keeps the group that its index gives.
    """
    group = torch.arange(units) * groups // units
    if grouping == "index":
        return group
    moved = torch.arange(0, units, 2 if grouping == "mixed" else 1)
    return group.index_copy(0, moved, group[moved[torch.randperm(len(moved))]])


def links_of(units: int, others: int, groups: int, between: float) -> int:
    """How many links there are between layers of so many units: all in a group, and a share of all others."""
    sizes, sizes_of_others = (
        np.bincount(np.arange(size) * groups // size, minlength=groups) for size in (units, others)
    )
    own = int(sizes @ sizes_of_others)
    return own + round(between * (units * others - own))


def linked(group_U: Tensor, group_F: Tensor, links: int) -> Tensor:
    """Which units read which, 1 or 0: (U, F); all of their own group, and others that are drawn at random.

    Args:
        group_U: (U,) int64, the group of each unit.
        group_F: (F,) int64, of each unit that is read.
        links: how many there are, those within groups included.
    """
    own_UF = group_U[:, None] == group_F
    lots = torch.rand(own_UF.shape).masked_fill(own_UF, -1)
    return torch.zeros(own_UF.numel()).index_fill(0, lots.flatten().argsort()[:links], 1).view(own_UF.shape)
