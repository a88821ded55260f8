"""K networks of `grouped_mlp`, of any depth, trained as one.

Axes: K networks, B examples, U units of one layer of all networks, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Owned
from ..shelf.constants import Constant
from ..shelf.feed_forward import ACTIVATIONS
from ..shelf.grouped.network import GroupSpec
from ..shelf.grouped.rewiring import Rewiring
from ..shelf.grouped.stack import LinkedGroup, StackedGroups
from ..shelf.stack import StackOfViews


class GroupedMLPStack(StackOfViews):
    """A layer holds the units of all its networks, sorted by activation, and after them the heads of shallower ones.

    Args:
        networks: the layers of each of K networks.
        rewirings: K.
        input_sizes: of the slices of the flattened input.
        outputs: O.
    """

    captures = True

    def __init__(
        self,
        networks: Sequence[Sequence[Sequence[GroupSpec]]],
        rewirings: Sequence[Rewiring | None],
        input_sizes: Sequence[int],
        outputs: int,
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.layers: list[StackedGroups] = []
        self.runs: list[list[tuple[str, int]]] = []
        """Of each layer: activations and how many units of each."""
        self.order: list[int] = []
        """Networks in the order of their heads."""
        self._places: list[list[tuple[int, int]]] = [[] for _ in networks]
        """Of each network: the layer and index of its groups."""
        edges = [0, *accumulate(input_sizes)]
        read: list[list[tuple[int, int]]] = [list(pairwise(edges)) for _ in networks]
        """Of each network: where the units of the groups lie that the next layer reads."""
        for depth in range(max(map(len, networks)) + 1):
            specs = {
                (network, index): group
                for network, layers in enumerate(networks)
                if depth < len(layers)
                for index, group in enumerate(layers[depth])
            }
            by_activation = sorted(specs, key=lambda key: specs[key].activation)
            starts = accumulate((specs[key].width for key in by_activation), initial=0)
            first_unit = dict(zip(by_activation, starts, strict=False))
            units = sum(group.width for group in specs.values())
            groups: list[LinkedGroup] = []
            for (network, index), group in specs.items():
                sources = tuple(read[network][source] for source in group.sources)
                weights = group.width * sum(stop - start for start, stop in sources)
                rewiring = rewirings[network]
                replaced = None if rewiring is None else rewiring.replaced(weights)
                groups.append(
                    LinkedGroup(
                        network, f"layers.{depth}.{index}.", first_unit[network, index], group.width, sources, replaced
                    )
                )
            for network, layers in enumerate(networks):
                if len(layers) == depth:
                    groups.append(LinkedGroup(network, "head.", units, outputs, tuple(read[network]), None))
                    self.order.append(network)
                    units += outputs
            for network in {network for network, _ in specs}:
                own = [group for group in groups if group.network == network]
                read[network] = [(group.first_unit, group.first_unit + group.width) for group in own]
            groups.sort(key=lambda group: group.sources)  # those that read the same are neighbours
            for index, group in enumerate(groups):
                self._places[group.network].append((depth, index))
            self.layers.append(StackedGroups(groups))
            self.runs.append(
                [
                    (name, sum(specs[key].width for key in keys))
                    for name, keys in groupby(by_activation, key=lambda key: specs[key].activation)
                ]
            )
        self.parts = nn.ModuleList(self.layers)  # registers them; `layers` keeps their type
        self.back = Constant(np.argsort(self.order))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) → (K, B, O)."""
        h_UB = x.flatten(1).T
        heads: list[Tensor] = []
        for layer, runs in zip(self.layers, self.runs, strict=True):
            z_UB = layer(h_UB)
            hidden = sum(size for _, size in runs)
            *parts, head = z_UB.split([*(size for _, size in runs), len(z_UB) - hidden])
            heads.append(head)
            if parts:
                h_UB = torch.cat([ACTIVATIONS[name](part) for (name, _), part in zip(runs, parts, strict=True)])
        return torch.cat(heads).unflatten(0, (-1, self.outputs))[self.back.on(x.device)].mT

    def owned(self) -> list[Owned]:
        return [pair for layer in self.layers for pair in layer.owned()]

    def after_step(self, step: int, steps: int) -> None:
        """Prune and regrow."""
        for layer in self.layers:
            layer.after_step(step, steps)

    def named(self, network: int) -> dict[str, Tensor]:
        views: dict[str, Tensor] = {}
        for layer, index in self._places[network]:
            views.update(self.layers[layer].named(index))
        return views
