"""Weights that are pruned and regrown while a network is trained.

Axes: B examples, U units, F units that they read.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

REWIRINGS = 6
"""Times that links are rewired, an eighth of the training apart; the last quarter leaves them as they are."""


@dataclass(frozen=True)
class Rewiring:
    """Weights inside links are absent, and others take their place while the network is trained.

    Args:
        density: share of a group's weights that are present, in (0, 1].
        fraction: share of the present ones that is replaced at each rewiring, in [0, 1].
    """

    density: float
    fraction: float

    def present(self, weights: int) -> int:
        """How many of a group's weights are present; at least one."""
        return max(1, round(self.density * weights))

    def replaced(self, weights: int) -> int:
        """How many of them are replaced at each rewiring: no more than are absent."""
        present = self.present(weights)
        return min(int(self.fraction * present), weights - present)


class SparseLinear(nn.Linear, ABC):
    """A linear map, (..., F) to (..., U), of whose weights some are absent; `mask` is 1 where they are present, else 0.

    While it is trained, weights are pruned and regrown: see `rewire`. Absent weights are zero whenever the network
    computes, so that gradients of all weights are at hand. Deviations from all that rewires: it is done six times, with
    a constant number of weights; one that was just pruned is not regrown at once; the optimiser goes on with what it
    holds of an absent weight.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.replaced = 0

    def keep(self, mask: Tensor, present: int, replaced: int) -> None:
        """Keep some weights alone, and scale them as if nn.Linear had drawn them for the inputs that are left.

        Args:
            mask: (U, F), 1 where a weight is present.
            present: how many are, at least one.
            replaced: how many are replaced at each rewiring; at most as many as are present, and as are absent.
        """
        self.register_buffer("mask", mask)
        self.replaced = replaced
        with torch.no_grad():
            self.weight.mul_(mask / math.sqrt(present / mask.numel()))

    @abstractmethod
    def worth(self, step: int) -> Tensor:
        """Of each weight that is present (U, F): those that are worth least are pruned."""

    @abstractmethod
    def promise(self) -> Tensor:
        """Of each weight that is absent (U, F): those that promise most regrow."""

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """Remove what the optimiser made of absent weights, and rewire when it is time."""
        self.weight.mul_(self.mask)
        if self.replaced and is_rewiring_step(step, steps):
            rewire(self.weight, self.mask, self.worth(step), self.promise(), self.replaced)


def is_rewiring_step(step: int, steps: int) -> bool:
    """Whether links are rewired after a step, counted from 0."""
    apart = max(1, steps // (REWIRINGS + 2))
    return (step + 1) % apart == 0 and (step + 1) // apart <= REWIRINGS


def rewire(weight: Tensor, mask: Tensor, worth: Tensor, promise: Tensor, count: int) -> None:
    """Prune the present weights that are worth least, and regrow as many absent ones, that promise most, at 0.

    Among equals the lowest index goes first.

    Args:
        weight: (U, F), changed in place; 0 where absent.
        mask: (U, F), changed in place.
        worth: (U, F), such as magnitudes.
        promise: (U, F), such as magnitudes of gradients.
        count: how many to replace; at most as many as are present, and as are absent.
    """
    absent = mask.flatten() == 0
    pruned = worth.flatten().masked_fill(absent, torch.inf).sort(stable=True).indices[:count]
    regrown = promise.flatten().masked_fill(~absent, -torch.inf).sort(stable=True, descending=True).indices[:count]
    flat = mask.view(-1)
    flat[pruned] = 0
    flat[regrown] = 1
    weight.mul_(mask)
