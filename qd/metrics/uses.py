"""How routed modules use their experts, in numbers that are counted where the gates are, for many networks at once.

Axes: B examples, M routed modules, E experts (of the module that has most, where there are several), C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .routing import Routing


class Use(NamedTuple):
    """How a routed module uses its experts, over all examples.

    Args:
        chosen: (E,), share of the examples that chose each expert, in [0, 1].
        weight: (E,), each expert's share of all examples, which count alike and are shared among their experts by gate
            weight; adds up to 1.
        by_class: (E, C), the same by the class of the example; adds up to 1. None where there are no classes.
    """

    chosen: np.ndarray
    weight: np.ndarray
    by_class: np.ndarray | None = None


class UseCounter:
    """Counts batch by batch, on the device of the gates; numbers alone leave it, at the end.

    Args:
        classes: C; 0: there are none.
    """

    def __init__(self, classes: int = 0) -> None:
        self._classes = classes
        self._examples: dict[int, int] = {}
        self._sums: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._places: list[tuple[int, int, int]] = []
        """Of each module: its group (those with equally many rows an example), its place there, and E."""

    def add(self, gates: Sequence[Tensor], classes_B: Tensor) -> None:
        """Count a batch.

        Args:
            gates: of each of the M modules (B, E), or (B·T, E) where it routes the T parts of an example by themselves,
                example by example; the same modules in every batch.
            classes_B: (B,) integers in [0, C), or (B, T) of parts; each part has its example's class where these are
                (B,). Looked at where there are classes.
        """
        groups: dict[int, list[Tensor]] = {}
        places = []
        for one in gates:
            group = groups.setdefault(len(one) // len(classes_B), [])
            places.append((len(one) // len(classes_B), len(group), one.shape[1]))
            group.append(one)
        self._places = places
        for parts, group in groups.items():
            gates_BME = _padded(group).double()
            weight_BME = gates_BME / gates_BME.sum(-1, keepdim=True)
            counted = (gates_BME > 0).sum(0), weight_BME.sum(0), self._by_class(weight_BME, classes_B)
            before = self._sums.get(parts)
            self._sums[parts] = counted if before is None else tuple(map(torch.add, before, counted))  # pyright: ignore[reportArgumentType]
            self._examples[parts] = self._examples.get(parts, 0) + len(gates_BME)

    def found(self) -> list[Use]:
        """The M modules' use over all batches."""
        sums = {
            parts: [tensor.numpy(force=True) / self._examples[parts] for tensor in tensors]
            for parts, tensors in self._sums.items()
        }
        uses = []
        for parts, place, experts in self._places:
            chosen_ME, weight_ME, weight_CME = sums[parts]
            by_class = weight_CME[:, place, :experts].T if self._classes else None
            uses.append(Use(chosen_ME[place, :experts], weight_ME[place, :experts], by_class))
        return uses

    def _by_class(self, weight_BME: Tensor, classes_B: Tensor) -> Tensor:
        rows, modules, experts = weight_BME.shape
        if not self._classes:
            return weight_BME.new_zeros(0)
        flat = classes_B.flatten()
        flat = flat.repeat_interleave(rows // len(flat), output_size=rows)
        marks_CB = (torch.arange(self._classes, device=flat.device)[:, None] == flat).double()
        return (marks_CB @ weight_BME.flatten(1)).view(-1, modules, experts)


def uses_of(routing: Routing, classes_B: np.ndarray | None = None, classes: int = 0) -> dict[str, Use]:
    """The use of each routed module of one network, by its name.

    Args:
        routing: gates (N, E), or (N·T, E), of each.
        classes_B: (N,), or (N, T), integers in [0, C); None: there are no classes.
        classes: C.
    """
    if not routing:
        return {}
    counter = UseCounter(classes)
    wanted = np.zeros(min(map(len, routing.values())), np.int64) if classes_B is None else classes_B
    counter.add([torch.from_numpy(gates) for gates in routing.values()], torch.from_numpy(np.ascontiguousarray(wanted)))
    return dict(zip(routing, counter.found(), strict=True))


def _padded(gates: Sequence[Tensor]) -> Tensor:
    """(B, M, E): zeros where a module has fewer experts than another."""
    most = max(one.shape[1] for one in gates)
    if all(one.shape[1] == most for one in gates):
        return torch.stack(list(gates), 1)
    flat_BG = torch.cat([*gates, gates[0].new_zeros(len(gates[0]), 1)], 1)
    place_ME, first = np.full((len(gates), most), flat_BG.shape[1] - 1), 0
    for module, one in enumerate(gates):
        place_ME[module, : one.shape[1]] = np.arange(first, first + one.shape[1])
        first += one.shape[1]
    return flat_BG[:, torch.from_numpy(place_ME).to(flat_BG.device)]
