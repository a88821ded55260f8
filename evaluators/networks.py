"""What evaluators that train networks have in common: the metrics of networks that they measure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from qd.metrics.base import NetworkMetric
from qd.metrics.joined import JoinedMetrics
from qd.metrics.known import known_metrics
from qd.metrics.subject import Subject
from search_spaces import Genotypes, SearchSpace

from .base import Evaluator


class NetworkEvaluator(Evaluator):
    """Trains networks, and measures each while it has it in hand.

    What it measures of every network is listed in `measured`, and declared among its `metrics`; the run file's
    `metrics` are added to both.
    """

    measured: JoinedMetrics
    """Metrics of networks, the space's own apart; set in `__init__`."""

    def measure_also(self, more: Sequence[NetworkMetric]) -> bool:
        self.measured = self.measured.extended(more, self.metrics)
        self.metrics = {**self.metrics, **self.measured.metrics}
        return True

    def bind(self, space: SearchSpace) -> None:
        if type(space).build is SearchSpace.build:
            raise ValueError(f"{type(space).__name__} has no build(), so there is no network to train")
        if self.task is not None:
            space.check_task(self.task)
        super().bind(space)
        self.measured.bind(space, self.task)

    def known(self, genotypes: Genotypes, names: Collection[str]) -> dict[str, np.ndarray]:
        return known_metrics(self.measured, self.space, self.task, genotypes, names)

    def measure(self, subject: Subject) -> dict[str, float]:
        """Return the listed metrics of a network, and the space's own."""
        own = self.space.measure(subject.genotype, subject.network, subject.outputs)
        return {**self.measured.measure(subject), **own}
