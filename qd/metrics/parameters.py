"""How many parameters a network has."""

from __future__ import annotations

import math

from torch import nn

from search_spaces import Metric

from .base import NetworkMetric
from .subject import Subject
from .untrained import Untrained


def parameters(network: nn.Module) -> int:
    """Number of all parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


class Parameters(NetworkMetric):
    """All parameters of the network."""

    metrics = {"parameters": Metric("", 0, math.inf, "minimise")}

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"parameters": parameters(subject.network)}

    def known(self, subject: Untrained) -> dict[str, float]:
        return {"parameters": count(subject)}


def count(subject: Untrained) -> float:
    """Number of all parameters, as the space gives it, or counted in a network without memory."""
    given = subject.given.get("parameters")
    return parameters(subject.network) if given is None else given
