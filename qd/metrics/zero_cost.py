"""What zero-cost scores have in common: of a network that is not trained, they tell who may be worth a training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from search_spaces import Metric
from search_spaces.genes import copy_tree

from .base import NetworkMetric
from .subject import Subject
from .untrained import Untrained

if TYPE_CHECKING:
    from torch import Tensor, nn


class ZeroCostMetric(NetworkMetric):
    """One number of a candidate's network as it is before training.

    The network is built again from the genotype under a seed of the metric's own, so that neither the weights that
    training gave nor the candidate's seed matter: equal genotypes have equal scores, and they are known before a
    training. All is computed in double precision, which the space's networks must allow: what a machine rounds
    otherwise is no more than a search puts up with.

    Args:
        name: of the metric.
        metric: its definition.
        seed: of the initialisation, in [0, 2**53).
    """

    def __init__(self, name: str, metric: Metric, seed: int) -> None:
        self.name, self.seed = name, seed
        self.metrics = {name: metric}

    def measure(self, subject: Subject) -> dict[str, float]:
        return {self.name: self.of(self._initial(subject), subject)}

    def known(self, subject: Untrained) -> Mapping[str, float]:
        """Of the same examples, where there are any; a metric that looks at none needs none."""
        return self.measure(subject)

    @abstractmethod
    def of(self, network: nn.Module, subject: Subject) -> float:
        """The score of a network.

        Args:
            network: freshly built, in training mode, in double precision and on the CPU; it may be changed at will.
            subject: the candidate.
        """

    def _initial(self, subject: Subject) -> nn.Module:
        from ..training import build_seeded

        assert subject.task is not None
        task = subject.task
        return build_seeded(lambda: subject.space.build(copy_tree(subject.genotype), task), self.seed).train().double()


def some_examples(subject: Subject, size: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of at most `size` of a subject's examples, evenly over all of them, on their device.

    What is no whole number is in double precision.
    """
    import torch

    count = len(subject.targets)
    rows = torch.from_numpy(np.unique(np.linspace(0, count - 1, min(size, count)).astype(np.int64)))
    inputs, targets = subject.inputs[rows.to(subject.inputs.device)], subject.targets[rows.to(subject.targets.device)]
    return _double(inputs), _double(targets)


def _double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
