"""How many parameters take part in an example."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import nn

from search_spaces import Metric

from .base import NetworkMetric
from .parameters import count, parameters
from .routing import Routing, routed_modules
from .subject import Subject
from .untrained import Untrained


def active_parameters(network: nn.Module, routing: Routing) -> float:
    """Parameters that take part in an example, on average: all outside the experts, and the chosen experts.

    A parameter of several experts, also of several routed modules, takes part where any of them is chosen.
    """
    uses: dict[nn.Parameter, list[tuple[str, int]]] = {}
    for name, module in routed_modules(network).items():
        for number, expert in enumerate(module.experts):
            for parameter in expert.parameters():
                uses.setdefault(parameter, []).append((name, number))
    sizes: dict[tuple[tuple[str, int], ...], int] = {}
    for parameter, where in uses.items():
        sizes[tuple(where)] = sizes.get(tuple(where), 0) + parameter.numel()
    return parameters(network) - sum((1 - _share(where, routing)) * size for where, size in sizes.items())


def _share(where: Sequence[tuple[str, int]], routing: Routing) -> float:
    """Of the examples that choose any of some experts, each given as a routed module and its number there."""
    return float(np.any([routing[name][:, number] > 0 for name, number in where], axis=0).mean())


class ActiveParameters(NetworkMetric):
    """Parameters that take part in an example, on average over the validation examples."""

    metrics = {"active_parameters": Metric("", 0, math.inf, "minimise")}
    needs = "examples"

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"active_parameters": active_parameters(subject.network, subject.routing)}

    def known(self, subject: Untrained) -> dict[str, float]:
        """Where nothing is routed: all of them."""
        return {} if subject.routed else {"active_parameters": count(subject)}
