"""How many parameters take part in an example."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import nn

from search_spaces import Metric

from .base import NetworkMetric
from .parameters import count, parameters
from .routing import Routing, routed_modules
from .subject import Subject
from .untrained import Untrained
from .uses import Use


def active_parameters(network: nn.Module, uses: Mapping[str, Use], routing: Callable[[], Routing]) -> float:
    """Parameters that take part in an example, on average: all outside the experts, and the chosen experts.

    A parameter of several experts, also of several routed modules, takes part where any of them is chosen.

    Args:
        network: any.
        uses: of its routed modules, by their names.
        routing: gives their gates, by their names, which are asked for where several share a parameter.
    """
    held: dict[nn.Parameter, list[tuple[str, int]]] = {}
    for name, module in routed_modules(network).items():
        for number, expert in enumerate(module.experts):
            for parameter in expert.parameters():
                held.setdefault(parameter, []).append((name, number))
    sizes: dict[tuple[tuple[str, int], ...], int] = {}
    for parameter, where in held.items():
        sizes[tuple(where)] = sizes.get(tuple(where), 0) + parameter.numel()
    return parameters(network) - sum((1 - _share(where, uses, routing)) * size for where, size in sizes.items())


def _share(where: Sequence[tuple[str, int]], uses: Mapping[str, Use], gates: Callable[[], Routing]) -> float:
    """Of the examples that choose any of some experts, each given as a routed module and its number there."""
    if len(where) == 1:
        name, number = where[0]
        return float(uses[name].chosen[number])
    routing = gates()
    return float(np.any([routing[name][:, number] > 0 for name, number in where], axis=0).mean())


class ActiveParameters(NetworkMetric):
    """Parameters that take part in an example, on average over the validation examples."""

    metrics = {"active_parameters": Metric("", 0, math.inf, "minimise")}
    needs = "examples"

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"active_parameters": active_parameters(subject.network, subject.uses, lambda: subject.routing)}

    def known(self, subject: Untrained) -> dict[str, float]:
        """Where nothing is routed: all of them."""
        return {} if subject.routed else {"active_parameters": count(subject)}
