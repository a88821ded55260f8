"""Adds metrics of networks to any evaluator, whether it knows of them or not."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluators import Evaluator
from search_spaces import Genotype, Genotypes, SearchSpace
from search_spaces.genes import copy_tree

from ..candidates import Candidates, Purpose, Results, Status, Weights, outcome_of
from ..executors.base import evaluate
from ..metrics.base import MetricError, NetworkMetric
from ..metrics.joined import JoinedMetrics
from ..metrics.known import known_metrics
from ..metrics.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

    from evaluators.task_data import PartName, TaskData

    from ..surrogates.base import Surrogate


class Measured(Evaluator):
    """Evaluates as another evaluator does, and measures each candidate that was ok.

    Where a metric needs a network, it is built again, from the candidate's seed, and gets the weights that the
    evaluator gave. Examples are those of its `task_data()`.

    Args:
        evaluator: measures no such metrics itself.
        metrics: what is measured.

    Raises:
        ValueError: a name would be reported twice.
    """

    def __init__(self, evaluator: Evaluator, metrics: Sequence[NetworkMetric]) -> None:
        self.evaluator, self.task = evaluator, evaluator.task
        self.has_fidelity, self.continues = evaluator.has_fidelity, evaluator.continues
        self.measured = JoinedMetrics(metrics, evaluator.metrics)
        self.metrics = {**evaluator.metrics, **self.measured.metrics}
        self._parts: dict[PartName, tuple[Tensor, Tensor]] = {}
        self._fixed = False

    def bind(self, space: SearchSpace) -> None:
        super().bind(space)
        self.evaluator.reproducible = self.reproducible
        self.evaluator.bind(space)
        self.measured.bind(space, self.task)
        for one in self.measured.listed:
            if one.needs == "examples" and self.evaluator.task_data() is None:
                raise MetricError(
                    f"{', '.join(one.metrics)} needs examples, and {type(self.evaluator).__name__} gives none"
                    " (its task_data() says None)"
                )

    @property
    def best_chunk(self) -> int | None:
        return self.evaluator.best_chunk

    @property
    def network_bytes(self) -> int | None:
        return self.evaluator.network_bytes

    def evaluate(self, candidates: Candidates) -> Results:
        results = evaluate(self.evaluator, candidates)
        rows = {id: row for row, id in enumerate(candidates.evaluation_ids.tolist())}
        columns = {name: np.full(len(results), np.nan) for name in self.measured.metrics}
        for index in np.flatnonzero(results.status == Status.OK).tolist():
            id = int(results.evaluation_ids[index])
            subject = self._subject(candidates.take([rows[id]]), results.weights.get(id))
            started = time.perf_counter()
            try:
                for name, value in self.measured.measure(subject).items():
                    columns[name][index] = value
            except BaseException as error:
                results.status[index], results.errors[id] = outcome_of(error)
            results.seconds[index] += time.perf_counter() - started
        results.metrics = {**results.metrics, **columns}
        return results

    def known(self, genotypes: Genotypes, names: Collection[str]) -> dict[str, np.ndarray]:
        own = self.evaluator.known(genotypes, [name for name in names if name not in self.measured.metrics])
        others = [name for name in names if name in self.measured.metrics]
        measured = known_metrics(
            self.measured, self.space, self.task, genotypes, others, lambda: self._part("validation")
        )
        return {**own, **measured}

    def task_data(self) -> TaskData | None:
        return self.evaluator.task_data()

    def contents(self) -> dict[str, Any]:
        return self.evaluator.contents()

    def surrogate(self) -> Surrogate | None:
        return self.evaluator.surrogate()

    def _subject(self, candidate: Candidates, weights: Weights | None) -> Subject:
        genotype, seed = candidate.genotypes[0], int(candidate.seeds[0])

        def examples() -> tuple[Tensor, Tensor]:
            if not weights:
                self._check_fixed(genotype, seed)
            return self._part("test" if candidate.purpose is Purpose.VERIFICATION else "validation")

        return Subject(genotype, self.space, self.task, lambda: self._build(genotype, seed, weights), examples)

    def _build(self, genotype: Genotype, seed: int, weights: Weights | None) -> nn.Module:
        import torch

        from ..training import build_seeded

        assert self.task is not None
        task = self.task
        network = build_seeded(lambda: self.space.build(copy_tree(genotype), task), seed)
        if weights:
            network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
        return network

    def _check_fixed(self, genotype: Genotype, seed: int) -> None:
        """Refuse a network that was trained, and whose evaluator does not give the weights; looked at once."""
        if not self._fixed:
            one, other = (self._build(genotype, number, None).state_dict() for number in (seed, seed + 1))
            if any(not tensor.equal(other[name]) for name, tensor in one.items()):
                raise ValueError(
                    f"{type(self.evaluator).__name__} gives no trained weights (`Results.weights`), and the genotype"
                    " does not hold them either, so nobody can say what the trained network makes of examples"
                )
            self._fixed = True

    def _part(self, name: PartName) -> tuple[Tensor, Tensor]:
        import torch

        if name not in self._parts:
            data = self.evaluator.task_data()
            assert data is not None
            inputs, targets = data.examples(name)
            self._parts[name] = torch.from_numpy(inputs), torch.from_numpy(targets)
        return self._parts[name]
