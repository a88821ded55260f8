"""Adds the metric `latency` to any evaluator that trains networks."""

from __future__ import annotations

import math

import numpy as np
import torch

from evaluators import Evaluator
from evaluators.task_data import TaskData
from search_spaces import Metric, SearchSpace

from ..candidates import Candidates, Results, Status
from ..surrogates.base import Guide
from ..training.device import find_device
from .latency import LatencyOptions, latency


class Timed(Evaluator):
    """Evaluates as another evaluator does, and times what the space builds from each genotype that was ok.

    What is timed is freshly initialised: how long a forward pass takes does not depend on the weights.

    Args:
        evaluator: with a task.
        options: what is timed.
    """

    def __init__(self, evaluator: Evaluator, options: LatencyOptions) -> None:
        if evaluator.task is None:
            raise ValueError(f"{type(evaluator).__name__} has no task, so there is no network to time")
        if "latency" in evaluator.metrics:
            raise ValueError(f"{type(evaluator).__name__} reports a metric `latency` of its own")
        find_device(options.device)
        self.evaluator, self.options, self.task = evaluator, options, evaluator.task
        unit = "ms" if options.batch == 1 else f"ms/{options.batch} examples"
        self.metrics = {**evaluator.metrics, "latency": Metric(unit, 0, math.inf, "minimise", time=True)}

    def bind(self, space: SearchSpace) -> None:
        if type(space).build is SearchSpace.build:
            raise ValueError(f"{type(space).__name__} has no build(), so there is no network to time")
        super().bind(space)
        self.evaluator.reproducible = self.reproducible
        self.evaluator.bind(space)

    def evaluate(self, candidates: Candidates) -> Results:
        results = self.evaluator.evaluate(candidates)
        rows = {id: row for row, id in enumerate(candidates.evaluation_ids.tolist())}
        column = np.full(len(results), np.nan)
        for index in np.flatnonzero(results.status == Status.OK).tolist():
            column[index] = self._time(candidates.genotypes[rows[int(results.evaluation_ids[index])]])
        results.metrics = {**results.metrics, "latency": column}
        return results

    def task_data(self) -> TaskData | None:
        return self.evaluator.task_data()

    def guide(self) -> Guide | None:
        return self.evaluator.guide()

    def _time(self, genotype: object) -> float:
        assert self.task is not None
        with torch.random.fork_rng(devices=[]):
            network = self.space.build(genotype, self.task)
        return latency(network, self.task, self.options)
