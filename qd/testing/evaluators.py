"""What every evaluator must do."""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import numpy as np
import pytest

from evaluators import Evaluator
from search_spaces import Genotype, Invalid, SearchSpace, Task

from ..candidates import Results, Start, Status
from ..executors import evaluate
from .batches import make_candidates
from .spaces import check_metrics, in_range


class EvaluatorConformance:
    """The contract of `Evaluator`, as tests. Give a `space`, and an `evaluator` (bound to it by the suite).

    Evaluations are repeated, so give it short ones: little data, few epochs.

    class TestMyEvaluator(EvaluatorConformance):
        @pytest.fixture
        def space(self):
            return MySpace()

        @pytest.fixture
        def evaluator(self):
            return MyEvaluator(epochs=1)
    """

    samples = 3
    """Candidates in a batch."""
    tolerance = 0.0
    """Relative difference allowed between a candidate evaluated alone and within a batch: above 0 where arithmetic on
    whole batches rounds differently."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        """A space whose candidates it can evaluate."""
        raise NotImplementedError("give the suite a fixture `space` that returns a search space")

    @pytest.fixture
    def evaluator(self) -> Evaluator:
        """The evaluator under test, not yet bound."""
        raise NotImplementedError("give the suite a fixture `evaluator` that returns your evaluator")

    @pytest.fixture
    def invalid_genotype(self) -> Genotype | None:
        """A genotype that the genes allow and that it must refuse as `Invalid`; None where there is none."""
        return None

    @pytest.fixture
    def genotypes(self, space: SearchSpace) -> list[Genotype]:
        """Different architectures."""
        rng = np.random.default_rng(0)
        different: dict[str, Genotype] = {}
        for _ in range(100 * self.samples):
            genotype = space.genes.sample(rng)
            different.setdefault(space.key(genotype), genotype)
            if len(different) == self.samples:
                break
        return list(different.values())

    @pytest.fixture
    def bound(self, evaluator: Evaluator, space: SearchSpace) -> Evaluator:
        """The evaluator, bound to the space."""
        evaluator.bind(space)
        return evaluator

    def test_metrics_may_be_columns_of_the_log(self, bound: Evaluator) -> None:
        assert bound.metrics, "an evaluator declares metrics"
        check_metrics(bound.metrics)
        assert not set(bound.metrics) & set(bound.space.metrics), "space and evaluator report a metric of the same name"

    def test_task_says_what_networks_take_and_give(self, bound: Evaluator) -> None:
        assert bound.task is None or isinstance(bound.task, Task)

    def test_answers_every_candidate_of_a_batch(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        batch = make_candidates(genotypes)
        try:
            results = bound.evaluate(batch)
        except Invalid:
            pytest.skip("the batch holds a genotype that is Invalid")
        assert sorted(results.evaluation_ids.tolist()) == sorted(batch.evaluation_ids.tolist())

    def test_reports_all_metrics_in_range(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        results = evaluate(bound, make_candidates(genotypes))
        statuses = [Status(status) for status in results.status.tolist()]
        assert set(statuses) <= {Status.OK, Status.INVALID}, f"evaluations failed: {results.errors}"
        assert Status.OK in statuses, f"no candidate could be evaluated: {results.errors}"
        assert (results.seconds >= 0).all()
        assert set(results.metrics) == {*bound.metrics, *bound.space.metrics}
        for name, metric in {**bound.metrics, **bound.space.metrics}.items():
            for value in results.metrics[name][results.status == Status.OK].tolist():
                assert in_range(value, metric), f"{name} is {value}: {metric}"

    def test_equal_seeds_give_equal_metrics(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        first = evaluate(bound, make_candidates(genotypes))
        _disturb_global_generators()
        assert_equal_rows(bound, evaluate(bound, make_candidates(genotypes)), first)

    def test_rows_do_not_depend_on_their_batch_mates(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        batch = make_candidates(genotypes)
        together = evaluate(bound, batch.take(range(len(batch))[::-1]))
        for row in range(len(batch)):
            assert_equal_rows(bound, evaluate(bound, batch.take([row])), together, self.tolerance)

    def test_known_metrics_are_those_that_are_reported(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        declared = {**bound.metrics, **bound.space.metrics}
        batch = make_candidates(genotypes)
        known = bound.known(batch.genotypes, [*declared])
        assert known.keys() <= declared.keys(), "what is known is among the metrics that are asked for"
        assert not bound.known(batch.genotypes, []), "nothing is asked for"
        results = evaluate(bound, batch)
        row_of = {id: row for row, id in enumerate(results.evaluation_ids.tolist())}
        results = results.take([row_of[id] for id in batch.evaluation_ids.tolist()])
        for name, column in known.items():
            assert column.shape == (len(batch),), f"{name}: expected a number for each of {len(batch)} candidates"
            assert not np.isinf(column).any(), f"{name}: expected numbers, or NaN where it is not known"
            rows = np.isfinite(column) & (results.status == Status.OK)
            if not declared[name].time:
                np.testing.assert_allclose(results.metrics[name][rows], column[rows], rtol=1e-6, err_msg=name)

    def test_weights_fit_the_network_that_the_space_builds(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        batch = make_candidates(genotypes)
        weights = evaluate(bound, batch).weights
        if not weights:
            pytest.skip("the evaluator returns no weights")
        assert set(weights) <= set(batch.evaluation_ids.tolist()), "weights are keyed by evaluation id"
        assert bound.task is not None, "an evaluator that trains networks says its `task`"
        for evaluation, genotype in zip(batch.evaluation_ids.tolist(), genotypes, strict=True):
            if evaluation in weights:
                expected = bound.space.build(genotype, bound.task).state_dict()
                shapes = {name: array.shape for name, array in weights[evaluation].items()}
                assert shapes == {name: tuple(tensor.shape) for name, tensor in expected.items()}

    def test_training_goes_on_from_weights(self, bound: Evaluator, genotypes: list[Genotype]) -> None:
        if not bound.continues:
            pytest.skip("the evaluator does not continue")
        assert bound.has_fidelity, "who goes on from a part of the budget heeds `fidelity`"
        batch = make_candidates(genotypes, fidelity=0.5)
        trained = evaluate(bound, batch)
        ok = set(trained.evaluation_ids[trained.status == Status.OK].tolist())
        assert ok == set(trained.weights), "who continues gives weights"
        starts = {id: Start(weights, 0.5) for id, weights in trained.weights.items()}
        further = evaluate(bound, replace(batch, fidelity=1.0, starts=starts))
        assert set(further.evaluation_ids[further.status == Status.OK].tolist()) == ok, further.errors
        anew = evaluate(bound, replace(batch, fidelity=1.0))
        for id in ok:
            tensors = [[*one.weights[id].values()] for one in (trained, further, anew)]
            assert not all(map(np.array_equal, tensors[0], tensors[1])), "it is trained further"
            assert not all(map(np.array_equal, tensors[1], tensors[2])), "it does not begin anew"

    def test_impossible_genotype_is_invalid(self, bound: Evaluator, invalid_genotype: Genotype | None) -> None:
        if invalid_genotype is None:
            pytest.skip("no `invalid_genotype` is given")
        results = evaluate(bound, make_candidates([invalid_genotype]))
        assert [Status(status) for status in results.status.tolist()] == [Status.INVALID], results.errors
        assert all(results.errors.values()), "Invalid(...) says why"


def assert_equal_rows(evaluator: Evaluator, actual: Results, expected: Results, tolerance: float = 0.0) -> None:
    """Assert that the rows of `actual` say the same as those of `expected` with the same ids, but for times."""
    declared = {**evaluator.metrics, **evaluator.space.metrics}
    row_of = {id: row for row, id in enumerate(expected.evaluation_ids.tolist())}
    expected = expected.take([row_of[id] for id in actual.evaluation_ids.tolist()])
    assert actual.status.tolist() == expected.status.tolist(), {**expected.errors, **actual.errors}
    for name, metric in declared.items():
        if not metric.time and name in actual.metrics:
            np.testing.assert_allclose(
                actual.metrics[name], expected.metrics[name], rtol=tolerance, atol=0, err_msg=f"metric {name}"
            )
    assert actual.curves.keys() == expected.curves.keys(), "learning curves of other rows"
    for id, curve in actual.curves.items():
        np.testing.assert_array_equal(curve.epochs, expected.curves[id].epochs, err_msg="epochs of a learning curve")
        for name, values in curve.scores.items():
            other = expected.curves[id].scores[name]
            np.testing.assert_allclose(values, other, rtol=tolerance, atol=0, err_msg=f"learning curve of {name}")


def _disturb_global_generators() -> None:
    """Whoever draws from them and not from the candidates' seeds gets other numbers the next time."""
    random.random()
    np.random.random()
    if "torch" in sys.modules:
        sys.modules["torch"].rand(1)
