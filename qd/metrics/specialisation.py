"""How much the experts of a network specialise in classes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from search_spaces import Metric, SearchSpace, Task

from .base import NetworkMetric
from .routing import entropy, mean_of_layers, shared
from .subject import Subject
from .untrained import Untrained


def specialisation(layers: Iterable[np.ndarray], classes: np.ndarray) -> float:
    """How much the choice of expert says about the class: 2·I(E;C) / (H(E) + H(C)), the mean over routed layers.

    The normalised mutual information of experts (weighted as in `expert_entropy`) and classes. In [0, 1]; 0 without a
    layer, and for a layer that uses a single expert.

    Args:
        layers: gates (B, E) of each routed layer, or (B·T, E) where it routes the T parts of an example by themselves,
            example by example: each part has its example's class.
        classes: (B,) integers from 0.
    """
    return mean_of_layers(
        _mutual_information(_joint(shared(gates_BE), np.repeat(classes, len(gates_BE) // len(classes))))
        for gates_BE in layers
    )


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
        classes = subject.targets.flatten().numpy(force=True)
        return {"specialisation": specialisation(subject.routing.values(), classes)}


def _joint(share_BE: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The distribution over experts and classes: (E, C), all adds up to 1."""
    return np.stack([np.bincount(classes, weights) for weights in share_BE.T]) / len(classes)


def _mutual_information(joint_EC: np.ndarray) -> float:
    experts, classes = entropy(joint_EC.sum(1)), entropy(joint_EC.sum(0))
    if experts == 0:
        return 0.0
    return 2 * (experts + classes - entropy(joint_EC.ravel())) / (experts + classes)
