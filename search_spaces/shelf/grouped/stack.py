"""One layer of the groups of many networks at once.

Axes: B examples, U units of the layer's groups, V units of the layer before (those of all networks, one after the
other), G groups, P weights of all groups, W units of the widest group, F units that the group reads which reads most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..constants import Constant
from ..kernels import has_kernel
from . import kernel
from .rewiring import is_rewiring_step, rewire


@dataclass(frozen=True)
class LinkedGroup:
    """A group of one network's layer, without its activation.

    Args:
        network: that it belongs to.
        prefix: of the plain layer's names in its network's state.
        first_unit: its first unit in U.
        width: its units.
        sources: (first, last + 1) of the units of V that it reads, in the order of its weights.
        replaced: how many of its weights at each rewiring; None: all are present, and stay.
    """

    network: int
    prefix: str
    first_unit: int
    width: int
    sources: tuple[tuple[int, int], ...]
    replaced: int | None

    @property
    def inputs(self) -> int:
        """Units that it reads."""
        return sum(stop - start for start, stop in self.sources)


class GroupLayout:
    """Where groups, weights and sources lie; constants of a stack. See `kernel` for the arrays."""

    def __init__(self, groups: Sequence[LinkedGroup]) -> None:
        self.groups = tuple(groups)
        runs = [merge_runs(group.sources) for group in groups]
        self.inputs = np.array([group.inputs for group in groups])
        self.width = np.array([group.width for group in groups])
        self.first_unit = np.array([group.first_unit for group in groups])
        self.first_weight = np.array([0, *accumulate(self.inputs * self.width)])
        self.first_source = np.array([0, *accumulate(map(len, runs))])
        self.source = np.array([run for group in runs for run in group])
        self.most = int(self.inputs.max())

    @property
    def arrays(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        """As the kernels take them."""
        return self.first_weight, self.first_unit, self.width, self.first_source, self.source, self.most

    @cached_property
    def padded(self) -> tuple[Constant, Constant, Constant]:
        """Indices for groups padded to (G, W, F): of each weight, of each unit (in G·W), and the units read (G, F).

        Where a group reads fewer than F units, the last index is -1: a row of zeros after the last of V.
        """
        widest = int(self.width.max())
        weights, read = [], np.full((len(self.groups), self.most), -1)
        units = np.empty(int(self.width.sum()), np.int64)
        for index, group in enumerate(self.groups):
            rows = index * widest + np.arange(group.width)
            units[group.first_unit : group.first_unit + group.width] = rows
            weights.append((rows[:, None] * self.most + np.arange(group.inputs)).ravel())
            read[index, : group.inputs] = np.concatenate([np.arange(*run) for run in group.sources])
        return Constant(np.concatenate(weights)), Constant(units), Constant(read)


class StackedGroups(nn.Module):
    """The linear maps of G groups, each of one network, in one layer: `network.Group` without its activation.

    Args:
        groups: G, whose units cover U.
    """

    mask: Tensor | None

    def __init__(self, groups: Sequence[LinkedGroup]) -> None:
        super().__init__()
        self.layout = GroupLayout(groups)
        weights, units = int(self.layout.first_weight[-1]), int(self.layout.width.sum())
        self.weight = nn.Parameter(torch.zeros(weights))
        self.bias = nn.Parameter(torch.zeros(units))
        rewired = any(group.replaced is not None for group in groups)
        self.register_buffer("mask", torch.ones(weights) if rewired else None)

    def forward(self, h_VB: Tensor) -> Tensor:
        """(V, B) → (U, B)."""
        function = GroupKernel.apply if has_kernel(h_VB) else links
        return function(h_VB, self.weight, self.bias, self.layout)

    def owned(self) -> list[tuple[nn.Parameter, list[int]]]:
        """Each parameter with the network that each of its rows belongs to."""
        network = np.array([group.network for group in self.layout.groups])
        by_unit = np.empty(len(self.bias), np.int64)
        for group in self.layout.groups:
            by_unit[group.first_unit : group.first_unit + group.width] = group.network
        by_weight = np.repeat(network, np.diff(self.layout.first_weight))
        return [(self.weight, by_weight.tolist()), (self.bias, by_unit.tolist())]

    def named(self, index: int) -> dict[str, Tensor]:
        """Views of a group's tensors, under their names in its plain network's state."""
        group = self.layout.groups[index]
        views = {
            f"{group.prefix}weight": self._matrix(self.weight, index),
            f"{group.prefix}bias": self.bias[group.first_unit : group.first_unit + group.width],
        }
        if self.mask is not None and group.replaced is not None:
            views[f"{group.prefix}mask"] = self._matrix(self.mask, index)
        return views

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """What `network.SparseGroup` does, for each group that has absent weights."""
        if self.mask is None:
            return
        self.weight.mul_(self.mask)
        if not is_rewiring_step(step, steps):
            return
        assert self.weight.grad is not None
        for index, group in enumerate(self.layout.groups):
            if group.replaced is not None:
                weight, gradient, mask = (
                    self._matrix(flat, index) for flat in (self.weight, self.weight.grad, self.mask)
                )
                rewire(weight, mask, weight.abs(), gradient.abs(), group.replaced)

    def _matrix(self, flat_P: Tensor, index: int) -> Tensor:
        group, first = self.layout.groups[index], self.layout.first_weight
        return flat_P[first[index] : first[index + 1]].view(group.width, group.inputs)


class GroupKernel(torch.autograd.Function):
    """`links` on the CPU, by `kernel`."""

    @staticmethod
    def forward(ctx: Any, h_VB: Tensor, weight_P: Tensor, bias_U: Tensor, layout: GroupLayout) -> Tensor:
        h, weight, bias = (tensor.detach().contiguous().numpy() for tensor in (h_VB, weight_P, bias_U))
        z_UB = np.empty((len(bias), h.shape[1]), h.dtype)
        kernel.forward(h, weight, bias, *layout.arrays, z_UB)
        ctx.layout, ctx.arrays = layout, (h, weight)
        return torch.from_numpy(z_UB)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        h, weight = ctx.arrays
        dz_UB = gradients[0].contiguous().numpy()
        wanted = ctx.needs_input_grad[0]
        dh_VB = np.zeros(h.shape if wanted else (0, 0), h.dtype)
        dweight = np.empty_like(weight)
        layout: GroupLayout = ctx.layout
        kernel.backward(dz_UB, h, weight, *layout.arrays, dh_VB, dweight)
        dh = torch.from_numpy(dh_VB) if wanted else None
        return dh, torch.from_numpy(dweight), gradients[0].sum(1), None


def links(h_VB: Tensor, weight_P: Tensor, bias_U: Tensor, layout: GroupLayout) -> Tensor:
    """Return the groups' sums (U, B) in plain torch: all groups padded to the largest, in one batched product."""
    weight_place, unit_place, read = (indices.on(h_VB.device) for indices in layout.padded)
    groups, most = read.shape
    x_GFB = torch.cat([h_VB, h_VB.new_zeros(1, h_VB.shape[1])])[read]
    weight = weight_P.new_zeros(groups * int(layout.width.max()) * most).index_put((weight_place,), weight_P)
    z_GWB = torch.bmm(weight.view(groups, -1, most), x_GFB)
    return z_GWB.flatten(0, 1)[unit_place] + bias_U[:, None]


def merge_runs(sources: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join runs that follow each other without a gap."""
    runs: list[tuple[int, int]] = []
    for start, stop in sources:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs
