"""One layer of the groups of many networks at once.

Axes: B examples, U units of the layer's groups, V units of the layer before (those of all networks, one after the
other), G groups, P weights of all groups, W units of the widest group, F units that the group reads which reads most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...kernels import has_kernel
from ..constants import Constant
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
    def bundles(self) -> list[SharedSources | PaddedGroups]:
        """The groups as plain torch computes them: neighbours that read the same units, and the others by size."""
        found: list[SharedSources | PaddedGroups] = []
        others: dict[tuple[int, int], list[int]] = {}
        for _, same in groupby(range(len(self.groups)), key=lambda index: self.groups[index].sources):
            rows = list(same)
            if len(rows) > 1:
                found.append(SharedSources(self, rows))
            else:
                group = self.groups[rows[0]]
                others.setdefault((group.width.bit_length(), group.inputs.bit_length()), []).append(rows[0])
        return [*found, *(PaddedGroups(self, rows) for rows in others.values())]

    @cached_property
    def unit_place(self) -> Constant:
        """(U,) int64: of every unit, its place where the bundles' units lie one after the other."""
        return Constant(np.argsort(np.concatenate([one.units for one in self.bundles])))

    def units_of(self, index: int) -> np.ndarray:
        """The units of a group."""
        return self.first_unit[index] + np.arange(self.width[index])

    def weights_of(self, index: int) -> slice:
        """The weights of a group."""
        return slice(int(self.first_weight[index]), int(self.first_weight[index + 1]))


class SharedSources:
    """Neighbouring groups that read the same units: one product, nothing padded.

    Args:
        layout: of the layer.
        groups: some of it, one after the other.
    """

    def __init__(self, layout: GroupLayout, groups: Sequence[int]) -> None:
        self.units = np.concatenate([layout.units_of(index) for index in groups])
        self._weights = slice(layout.weights_of(groups[0]).start, layout.weights_of(groups[-1]).stop)
        self._runs = merge_runs(layout.groups[groups[0]].sources)

    def sums(self, h_VB: Tensor, weight_P: Tensor) -> Tensor:
        """(units, B), without biases."""
        parts = [h_VB[start:stop] for start, stop in self._runs]
        x_FB = parts[0] if len(parts) == 1 else torch.cat(parts)
        return weight_P[self._weights].view(len(self.units), -1) @ x_FB


class PaddedGroups:
    """G groups of about one size, padded to the largest: one batched product.

    Args:
        layout: of the layer.
        groups: some of it.
    """

    def __init__(self, layout: GroupLayout, groups: Sequence[int]) -> None:
        self.units = np.concatenate([layout.units_of(index) for index in groups])
        widest, most = (max(sizes[index] for index in groups) for sizes in (layout.width, layout.inputs))
        self._size = len(groups), int(widest), int(most)
        read = np.full((len(groups), most), -1)
        weights, places, units = [], [], []
        for row, index in enumerate(groups):
            group, own = layout.groups[index], layout.weights_of(index)
            rows = row * widest + np.arange(group.width)
            weights.append(np.arange(own.start, own.stop))
            places.append((rows[:, None] * most + np.arange(group.inputs)).ravel())
            units.append(rows)
            read[row, : group.inputs] = np.concatenate([np.arange(*run) for run in group.sources])
        self._weights, self._places, self._unit_rows = (
            Constant(np.concatenate(column)) for column in (weights, places, units)
        )
        self._read = Constant(read.ravel())
        """(G · F,): the units read; where a group reads fewer than F, -1, a row of zeros after the last of V."""

    def sums(self, h_VB: Tensor, weight_P: Tensor) -> Tensor:
        """(units, B), without biases."""
        device, (groups, _, most) = h_VB.device, self._size
        read = self._read.on(device) % (len(h_VB) + 1)
        x_GFB = torch.cat([h_VB, h_VB.new_zeros(1, h_VB.shape[1])]).index_select(0, read).view(groups, most, -1)
        weight = weight_P.new_zeros(math.prod(self._size)).index_put(
            (self._places.on(device),), weight_P.index_select(0, self._weights.on(device))
        )
        z_GWB = torch.bmm(weight.view(self._size), x_GFB)
        return z_GWB.flatten(0, 1).index_select(0, self._unit_rows.on(device))


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
    """Return the groups' sums (U, B) in plain torch."""
    sums = [bundle.sums(h_VB, weight_P) for bundle in layout.bundles]
    return torch.cat(sums).index_select(0, layout.unit_place.on(h_VB.device)) + bias_U[:, None]


def merge_runs(sources: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join runs that follow each other without a gap."""
    runs: list[tuple[int, int]] = []
    for start, stop in sources:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs
