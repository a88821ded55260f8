"""Groups of units that read some groups of the layer before, and weights that are pruned and regrown.

Axes: B examples, U units, F units that a group reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..feed_forward import ACTIVATIONS

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


@dataclass(frozen=True, order=True)
class GroupSpec:
    """A group of a layer.

    Args:
        width: U.
        activation: one of `feed_forward.ACTIVATIONS`.
        sources: the groups of the layer before that it reads, ascending, at least one.
    """

    width: int
    activation: str
    sources: tuple[int, ...]


class Group(nn.Linear):
    """A linear map and an activation: (B, F) to (B, U)."""

    def __init__(self, inputs: int, width: int, activation: str) -> None:
        super().__init__(inputs, width)
        self.activation = activation

    def forward(self, input: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](super().forward(input))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, activation={self.activation}"


class SparseGroup(Group):
    """A group of whose weights some are absent; `mask` is 1 where they are present, else 0.

    While it is trained, weights are pruned and regrown (sparse evolutionary training, Mocanu et al., arXiv 1707.04780;
    RigL, Evci et al., arXiv 1911.11134, whose growth criterion this is): see `rewire`. Absent weights are zero whenever
    the network computes, so the gradient of all weights is at hand for regrowing. Deviations: it is done six times,
    with a constant fraction; a weight that was just pruned is not regrown at once; the optimiser goes on with what it
    holds of an absent weight.
    """

    mask: Tensor

    def __init__(self, inputs: int, width: int, activation: str, rewiring: Rewiring) -> None:
        super().__init__(inputs, width, activation)
        weights = self.weight.numel()
        present, self.replaced = rewiring.present(weights), rewiring.replaced(weights)
        mask = torch.zeros(weights)
        mask[torch.randperm(len(mask))[:present]] = 1
        self.register_buffer("mask", mask.view_as(self.weight))
        with torch.no_grad():  # as nn.Linear draws them, for the inputs that are left
            self.weight.mul_(self.mask / math.sqrt(present / weights))

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """Remove what the optimiser made of absent weights, and rewire when it is time."""
        self.weight.mul_(self.mask)
        if is_rewiring_step(step, steps):
            assert self.weight.grad is not None
            rewire(self.weight, self.weight.grad, self.mask, self.replaced)


def is_rewiring_step(step: int, steps: int) -> bool:
    """Whether links are rewired after a step, counted from 0."""
    apart = max(1, steps // (REWIRINGS + 2))
    return (step + 1) % apart == 0 and (step + 1) // apart <= REWIRINGS


def rewire(weight: Tensor, gradient: Tensor, mask: Tensor, count: int) -> None:
    """Prune the present weights of least magnitude, and regrow as many absent ones, with the greatest gradients, at 0.

    Among equal magnitudes and among equal gradients the lowest index goes first.

    Args:
        weight: (U, F), changed in place; 0 where absent.
        gradient: (U, F), of absent weights too.
        mask: (U, F), changed in place.
        count: how many to replace; at most as many as are present, and as are absent.
    """
    absent = mask.flatten() == 0
    magnitudes = weight.abs().flatten().masked_fill_(absent, torch.inf)
    gradients = gradient.abs().flatten().masked_fill_(~absent, -1)
    pruned = magnitudes.sort(stable=True).indices[:count]
    regrown = gradients.sort(stable=True, descending=True).indices[:count]
    flat = mask.view(-1)
    flat[pruned] = 0
    flat[regrown] = 1
    weight.mul_(mask)


class GroupedNetwork(nn.Module):
    """Layers of groups, and a linear head that reads the whole last layer: (B, *shape) to (B, outputs).

    The flattened input is cut into slices of (nearly) equal size, which the first layer's groups read like groups.

    Args:
        input_sizes: of the slices.
        layers: the groups of each.
        outputs: length of the output.
        rewiring: of all links; None: all weights inside links are present, and stay.
    """

    def __init__(
        self, input_sizes: Sequence[int], layers: Sequence[Sequence[GroupSpec]], outputs: int, rewiring: Rewiring | None
    ) -> None:
        super().__init__()
        self.input_sizes = tuple(input_sizes)
        self.sources = [[group.sources for group in layer] for layer in layers]
        self.layers = nn.ModuleList()
        sizes = self.input_sizes
        for layer in layers:
            groups = nn.ModuleList()
            for group in layer:
                inputs = sum(sizes[source] for source in group.sources)
                if rewiring is None:
                    groups.append(Group(inputs, group.width, group.activation))
                else:
                    groups.append(SparseGroup(inputs, group.width, group.activation, rewiring))
            self.layers.append(groups)
            sizes = tuple(group.width for group in layer)
        self.head = nn.Linear(sum(sizes), outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = x.flatten(1).split(self.input_sizes, 1)
        for groups, sources in zip(self.layers, self.sources, strict=True):
            parts = [
                group(torch.cat([parts[one] for one in read], 1))
                for group, read in zip(groups, sources, strict=True)  # pyright: ignore[reportArgumentType]
            ]
        return self.head(torch.cat(parts, 1))


def slice_sizes(inputs: int, slices: int) -> list[int]:
    """Sizes of at most `slices` nearly equal slices of `inputs` numbers, none of them empty."""
    slices = min(inputs, slices)
    return [inputs * (index + 1) // slices - inputs * index // slices for index in range(slices)]
