"""A network of `chain`: stem, layers, head.

Axes: B examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..base import Task
from ..genes import Genotype
from ..shelf.base import Port, ShelfModule
from ..shelf.heads import Head, Pooling
from ..shelf.stems import stem


@dataclass(frozen=True)
class Layer:
    """A layer.

    Args:
        module: of the shelf.
        genes: of the module.
        port: what goes in.
        halve: whether the sides of the map are halved at the end.
    """

    module: ShelfModule
    genes: Genotype
    port: Port
    halve: bool

    def build(self) -> nn.Module:
        """Its module, freshly initialised."""
        return self.module.build(self.genes, self.port)

    @property
    def port_after(self) -> Port:
        """What comes out."""
        return self.port.resized(*(side // 2 for side in self.port.size)) if self.halve else self.port

    def after(self, x: Tensor) -> Tensor:
        """What follows on its module: halving."""
        return nn.functional.max_pool2d(x, 2) if self.halve else x


@dataclass(frozen=True)
class Ends:
    """Stem and head.

    Args:
        task: what the network is for.
        port: of the first layer.
        patch: of the stem.
        positions: of the stem.
        pooling: of the head.
        exits: whether there is an answer after every layer.
    """

    task: Task
    port: Port
    patch: int | None
    positions: str
    pooling: Pooling
    exits: bool

    def stem(self) -> nn.Module:
        """A freshly initialised one."""
        return stem(self.task, self.port, self.patch, self.positions)

    def head(self) -> nn.Module:
        """A freshly initialised one: `Head`, or `Exits`."""
        head = Head(self.task, self.port, self.pooling)
        return Exits(head) if self.exits else head


class Exits(nn.Module):
    """One head that answers after every layer; the network's scores are the mean of the answers.

    After SortedNet's fine-tuning (SoFT, Valipour et al., arXiv 2309.08968), in which all exits share normalisation and
    head, and the mean of their losses is descended. Deviation: the loss of the mean answer is, which is never greater
    where the loss is convex in the scores, as both of ours are.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, states: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Args: states (B, *shape) after each layer."""
        return torch.stack([self.head(state, inputs) for state in states]).mean(0)


class ChainNetwork(nn.Module):
    """(B, *task.input_shape) to (B, *task.output_shape).

    Args:
        layers: at least one.
        ends: stem and head.
    """

    def __init__(self, layers: Sequence[Layer], ends: Ends) -> None:
        super().__init__()
        self.stem = ends.stem()
        self.layers = nn.ModuleList(layer.build() for layer in layers)
        self.head = ends.head()
        self.exits = ends.exits
        self.after = [layer.after for layer in layers]

    def forward(self, inputs: Tensor) -> Tensor:
        states = [self.stem(inputs)]
        for layer, after in zip(self.layers, self.after, strict=True):
            states.append(after(layer(states[-1])))
        return self.head(states[1:] if self.exits else states[-1], inputs)
