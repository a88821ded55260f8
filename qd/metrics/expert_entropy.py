"""How evenly the experts of a network are used."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from search_spaces import Metric

from .base import NetworkMetric
from .routing import entropy, mean_of_layers
from .subject import Subject
from .untrained import Untrained
from .uses import Use


def expert_entropy(layers: Iterable[Use]) -> float:
    """How evenly experts are used: H(E) / log(number of experts), the mean over routed layers.

    An example counts once in a layer, shared among experts by normalised gate weight. In [0, 1]; 0 without a layer.

    Args:
        layers: the use of each routed layer.
    """
    return mean_of_layers(_evenness(use.weight) for use in layers)


class ExpertEntropy(NetworkMetric):
    """How evenly the validation examples use the experts; 0 where nothing is routed."""

    metrics = {"expert_entropy": Metric("", 0, 1, "maximise")}
    needs = "examples"

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"expert_entropy": expert_entropy(subject.uses.values())}

    def known(self, subject: Untrained) -> dict[str, float]:
        """Where nothing is routed: 0."""
        return {} if subject.routed else {"expert_entropy": 0.0}


def _evenness(share_E: np.ndarray) -> float:
    return entropy(share_E) / np.log(len(share_E)) if len(share_E) > 1 else 0.0
