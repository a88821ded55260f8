"""Networks of groups of units that read some groups of the layer before; what `grouped_mlp` builds.

Axes: B examples, U units, F units that a group reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..feed_forward import ACTIVATIONS
from .rewiring import Rewiring, SparseLinear


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


class SparseGroup(SparseLinear):
    """A group of whose weights some are absent, pruned by magnitude and regrown by gradient.

    After sparse evolutionary training (Mocanu et al., arXiv 1707.04780) and RigL (Evci et al., arXiv 1911.11134), whose
    growth criterion this is; see `SparseLinear` for deviations.
    """

    def __init__(self, inputs: int, width: int, activation: str, rewiring: Rewiring) -> None:
        super().__init__(inputs, width)
        self.activation = activation
        weights = self.weight.numel()
        mask = torch.zeros(weights)
        present = rewiring.present(weights)
        mask[torch.randperm(weights)[:present]] = 1
        self.keep(mask.view_as(self.weight), present, rewiring.replaced(weights))

    def forward(self, input: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](super().forward(input))

    def worth(self, step: int) -> Tensor:
        return self.weight.abs()

    def promise(self) -> Tensor:
        assert self.weight.grad is not None
        return self.weight.grad.abs()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, activation={self.activation}"


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
