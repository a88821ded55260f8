"""How much the experts of a network specialise in classes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from search_spaces import Metric, SearchSpace, Task

from .base import NetworkMetric
from .routing import entropy, mean_of_layers, shared
from .subject import Subject


def specialisation(layers: Iterable[np.ndarray], classes: np.ndarray) -> float:
    """How much the choice of expert says about the class: 2·I(E;C) / (H(E) + H(C)), the mean over routed layers.

    The normalised mutual information of experts (weighted as in `expert_entropy`) and classes. In [0, 1]; 0 without a
    layer, and for a layer that uses a single expert.

    Args:
        layers: gates (B, E) of each routed layer.
        classes: (B,) integers from 0.
    """
    membership_BC = np.eye(int(classes.max()) + 1)[classes]
    return mean_of_layers(_mutual_information(shared(gates_BE).T @ membership_BC / len(classes)) for gates_BE in layers)


class Specialisation(NetworkMetric):
    """How much the choice of expert says about the class of a validation example; 0 where nothing is routed."""

    metrics = {"specialisation": Metric("", 0, 1, "maximise")}
    needs = "examples"

    def bind(self, space: SearchSpace, task: Task | None) -> None:
        if task is None or task.loss != "cross_entropy":
            raise ValueError("experts specialise in classes, and this task has none")

    def measure(self, subject: Subject) -> dict[str, float]:
        classes = subject.targets.numpy(force=True)
        return {"specialisation": specialisation(subject.routing.values(), classes)}


def _mutual_information(joint_EC: np.ndarray) -> float:
    experts, classes = entropy(joint_EC.sum(1)), entropy(joint_EC.sum(0))
    if experts == 0:
        return 0.0
    return 2 * (experts + classes - entropy(joint_EC.ravel())) / (experts + classes)
