"""K networks of `chain`, of any widths, depths and modules, trained as one.

Layer by layer: networks that have the same module with equal genes there, or a module with a stack of its own, share
one call. Each network's state stays a tensor of its own, so that nothing is padded, and nothing copied where a network
shares its layer with no other. Axes: K networks, B examples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Owned, StackPrediction
from ..genes import to_json
from ..shelf.constants import Constant
from ..shelf.stack import StackOfViews, groups_of
from ..shelf.together import OneByOne, Stacked, Together, Vmapped, together
from ..shelf.watching import Watched
from .network import Ends, Layer


@dataclass(frozen=True)
class _Group:
    """Networks that share a call: the part that is called, and which they are."""

    part: Together
    members: list[int]

    @cached_property
    def place(self) -> Constant:
        """(N,) int64, the members."""
        return Constant(np.array(self.members))


class ChainStack(StackOfViews):
    """Stems are one group for each port, then the layers', then the heads'.

    Args:
        networks: the layers of each of K networks.
        ends: K.
    """

    def __init__(self, networks: Sequence[Sequence[Layer]], ends: Sequence[Ends]) -> None:
        super().__init__()
        self.networks, self.ends = networks, ends
        with torch.random.fork_rng(devices=[]):  # parts are built, and then filled with what networks have
            self.stems = [
                _Group(_vmapped([ends[one].stem for one in members]), members)
                for members in _equal(range(len(ends)), lambda one: (ends[one].port, ends[one].positions))
            ]
            self.layers = [self._grouped(depth) for depth in range(max(map(len, networks)))]
            exits = ends[0].exits
            self.heads = [
                _Group(
                    OneByOne([ends[one].head() for one in members])
                    if exits
                    else _vmapped([ends[one].head for one in members]),
                    members,
                )
                for members in _equal(range(len(ends)), self._last_shape)
            ]
        self.exits = exits
        self.parts = nn.ModuleList(group.part for _, group in self._all())

    def _grouped(self, depth: int) -> list[_Group]:
        there = [one for one, layers in enumerate(self.networks) if depth < len(layers)]
        found: list[_Group] = []
        for members in _equal(there, lambda one: (self._layer(one, depth).module.name, self._layer(one, depth).port)):
            layers = [self._layer(one, depth) for one in members]
            stack = layers[0].module.stack([one.genes for one in layers], layers[0].port) if len(members) > 1 else None
            if stack is not None:
                found.append(_Group(Stacked(stack, len(members)), members))
                continue
            for equal in _equal(members, lambda one: to_json(self._layer(one, depth).genes)):
                same = [self._layer(one, depth) for one in equal]
                example = torch.randn(2, *same[0].port.shape)
                found.append(_Group(together([one.build for one in same], example), equal))
        return found

    def _layer(self, network: int, depth: int) -> Layer:
        return self.networks[network][depth]

    def _last_shape(self, network: int) -> tuple[int, ...]:
        """Of what comes out of its last layer."""
        layer = self.networks[network][-1]
        shape = layer.port.shape
        return (shape[0], *(side // 2 for side in shape[1:])) if layer.halve else shape

    def _all(self) -> Iterator[tuple[str, _Group]]:
        """Every group, and what goes before the names of its tensors."""
        for group in self.stems:
            yield "stem.", group
        for depth, groups in enumerate(self.layers):
            for group in groups:
                yield f"layers.{depth}.", group
        for group in self.heads:
            yield "head.", group

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) → (K, B, *output_shape)."""
        answers = self._through(x, lambda group, prefix, xs, *shared: group.part(xs, *shared))
        self.auxiliary_loss = self._losses(answers[0]) if self.training else None
        return torch.stack(answers)

    def predict(self, x: Tensor) -> StackPrediction:
        """Outputs, and what modules do meanwhile, as far as stacks of modules say it."""
        found = [Watched() for _ in self.networks]

        def call(group: _Group, prefix: str, xs: Any, *shared: Tensor) -> list[Tensor]:
            outputs, watched = group.part.predict(xs, *shared)
            for one, own in zip(group.members, watched, strict=True):
                found[one].take(own, prefix)
            return outputs

        answers = self._through(x, call)
        return StackPrediction(torch.stack(answers), [one.gates for one in found], [one.observed for one in found])

    def _through(self, x: Tensor, call: Callable[..., list[Tensor]]) -> list[Tensor]:
        """K answers (B, *output_shape); `call` is given a group, its prefix, and what goes into its part."""
        states: list[list[Tensor]] = [[] for _ in self.networks]
        for group in self.stems:
            for one, state in zip(group.members, call(group, "stem.", None, x), strict=True):
                states[one].append(state)
        for depth, groups in enumerate(self.layers):
            for group in groups:
                outputs = call(group, f"layers.{depth}.", [states[one][-1] for one in group.members])
                for one, state in zip(group.members, outputs, strict=True):
                    states[one].append(self._layer(one, depth).after(state))
        answers: list[Tensor] = [x] * len(states)
        for group in self.heads:
            last = [states[one][1:] if self.exits else states[one][-1] for one in group.members]
            for one, answer in zip(group.members, call(group, "head.", last, x), strict=True):
                answers[one] = answer
        return answers

    def _losses(self, like: Tensor) -> Tensor | None:
        total = None
        for _, group in self._all():
            losses = group.part.losses()
            if losses is not None:
                total = like.new_zeros(len(self.networks)) if total is None else total
                total = total.index_add(0, group.place.on(like.device), losses)
        return total

    def owned(self) -> list[Owned]:
        return [
            (tensor, [group.members[row] for row in rows])
            for _, group in self._all()
            for tensor, rows in group.part.owned()
        ]

    @property
    def captures(self) -> bool:
        """Whether no part changes while it is trained: what strangers' modules change is not known."""
        return not any(group.part.changes for _, group in self._all())

    def after_step(self, step: int, steps: int) -> None:
        """What changes modules while they are trained."""
        for part in self.parts:
            assert isinstance(part, Together)
            part.after_step(step, steps)

    def named(self, network: int) -> dict[str, Tensor]:
        return {
            prefix + name: view
            for prefix, group in self._all()
            if network in group.members
            for name, view in group.part.named(group.members.index(network)).items()
        }


def _vmapped(builds: Sequence[Callable[[], nn.Module]]) -> Together:
    """Stems or heads, all of which `vmap` can."""
    return Vmapped(builds[0](), len(builds)) if len(builds) > 1 else OneByOne([builds[0]()])


def _equal(members: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Members with equal keys together."""
    return [[members[row] for row in rows] for rows in groups_of([key(one) for one in members])]
