"""How much the experts of a network specialise in classes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from search_spaces import Metric, SearchSpace, Task

from .base import NetworkMetric
from .routing import entropy, mean_of_layers
from .subject import Subject
from .untrained import Untrained
from .uses import Use


def specialisation(layers: Iterable[Use]) -> float:
    """How much the choice of expert says about the class: 2·I(E;C) / (H(E) + H(C)), the mean over routed layers.

    The normalised mutual information of experts (weighted as in `expert_entropy`) and classes. In [0, 1]; 0 without a
    layer, and for a layer that uses a single expert.

    Args:
        layers: the use of each routed layer, by classes.
    """
    return mean_of_layers(_mutual_information(use.by_class) for use in layers if use.by_class is not None)


class Specialisation(NetworkMetric):
    """How much the choice of expert says about the class of a validation example; 0 where nothing is routed.

    Of next tokens the class of a position is the token that follows.
    """

    metrics = {"specialisation": Metric("", 0, 1, "maximise")}
    needs = "examples"

    def bind(self, space: SearchSpace, task: Task | None) -> None:
        if task is None or task.loss != "cross_entropy":
            raise ValueError("experts specialise in classes, and this task has none")

    def known(self, subject: Untrained) -> dict[str, float]:
        """Where nothing is routed: 0."""
        return {} if subject.routed else {"specialisation": 0.0}

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"specialisation": specialisation(subject.uses.values())}


def _mutual_information(joint_EC: np.ndarray) -> float:
    experts, classes = entropy(joint_EC.sum(1)), entropy(joint_EC.sum(0))
    if experts == 0:
        return 0.0
    return 2 * (experts + classes - entropy(joint_EC.ravel())) / (experts + classes)
