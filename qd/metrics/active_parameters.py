"""How many parameters take part in an example."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from search_spaces import Metric

from .base import NetworkMetric
from .parameters import parameters
from .routing import Routing, routed_modules, use_of_experts
from .subject import Subject


def active_parameters(network: nn.Module, routing: Routing) -> float:
    """Parameters that take part in an example, on average: all outside the experts, and the chosen experts."""
    idle = 0.0
    for name, module in routed_modules(network).items():
        sizes_E = np.array([parameters(expert) for expert in module.experts])
        idle += float((1 - use_of_experts(routing[name])) @ sizes_E)
    return parameters(network) - idle


class ActiveParameters(NetworkMetric):
    """Parameters that take part in an example, on average over the validation examples."""

    metrics = {"active_parameters": Metric("", 0, math.inf, "minimise")}
    needs = "examples"

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"active_parameters": active_parameters(subject.network, subject.routing)}
