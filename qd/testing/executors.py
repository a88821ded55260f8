"""What every executor must do."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from evaluators import Evaluator
from search_spaces import Choice, Genotype, Integer, Invalid, Metric, SearchSpace, Struct

from ..candidates import Candidates, Curve, Purpose, Results, Start, Status, Weights
from ..executors import Executor
from .batches import make_candidates

MakeExecutor = Callable[[Evaluator], Executor]

ENDS: dict[str, type[BaseException]] = {
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "cancel": CancelledError,
    "close": GeneratorExit,
}
"""What more than an `Exception` may come out of an evaluation."""


class TinySpace(SearchSpace):
    """A number, and what its evaluation does. Importable, so that workers elsewhere find it."""

    genes = Struct(number=Integer(0, 99), does=Choice("well", "raise", "refuse", "give_nan", "give_infinity", *ENDS))


class TinyEvaluator(Evaluator):
    """Reports what it was given. One bad genotype spoils the whole batch, and rows come back in reverse.

    It takes apart what it is given, and writes over what it returned before.
    """

    _returned: Results | None = None

    metrics = {
        "number": Metric("", 0, 99),
        "own_seed": Metric("", 0, 2**53),
        "common_seed": Metric("", 0, 2**53),
        "share": Metric("", 0, 1),
        "verifies": Metric("", 0, 1),
        "begins_at": Metric("", -1, 100),
    }

    def evaluate(self, candidates: Candidates) -> Results:
        if self._returned is not None:
            for column in (*self._returned.metrics.values(), self._returned.seconds, self._returned.evaluation_ids):
                column[:] = 0
            for tensors in self._returned.weights.values():
                tensors["w"][:] = 0
            for curve in self._returned.curves.values():
                curve.scores["share"][:] = 0
        given = {"give_nan": np.nan, "give_infinity": np.inf}
        numbers = []
        for genotype in candidates.genotypes:
            number, does = genotype.pop("number"), genotype.pop("does")
            if does == "raise":
                raise RuntimeError(f"number {number} is broken")
            if does == "refuse":
                raise Invalid(f"number {number} stands for nothing")
            if does in ENDS:
                raise ENDS[does](f"number {number} wants to go")
            numbers.append(given.get(does, number))
        size = len(candidates)
        metrics = {
            "number": numbers,
            "own_seed": candidates.seeds,
            "common_seed": np.full(size, candidates.shared_seed),
            "share": np.full(size, candidates.fidelity),
            "verifies": np.full(size, candidates.purpose is Purpose.VERIFICATION),
            "begins_at": [_sum_of(candidates.starts.get(id)) for id in candidates.evaluation_ids.tolist()],
        }
        weights: dict[int, Weights] = {int(id): {"w": np.array([id, 1.5])} for id in candidates.evaluation_ids}
        curves = {int(id): Curve(np.array([1.0, 2.0]), {"share": np.array([0.5, id])}) for id in weights}
        self._returned = Results.ok(candidates, metrics, 0.0, weights, curves).take(range(size)[::-1])
        return self._returned


def _sum_of(start: Start | None) -> float:
    """Of all numbers of a start, which are then written over; -1 of none."""
    if start is None:
        return -1.0
    total = start.spent + float(sum(array.sum() for array in start.weights.values()))
    for array in start.weights.values():
        array[...] = 0
    return total


class ForgetfulEvaluator(TinyEvaluator):
    """Leaves out a metric that it declares."""

    def evaluate(self, candidates: Candidates) -> Results:
        results = super().evaluate(candidates)
        del results.metrics["share"]
        return results


class LossyEvaluator(TinyEvaluator):
    """Leaves out a row."""

    def evaluate(self, candidates: Candidates) -> Results:
        return super().evaluate(candidates).take(range(len(candidates) - 1))


class ShortEvaluator(TinyEvaluator):
    """Reports a metric for the first candidate alone."""

    def evaluate(self, candidates: Candidates) -> Results:
        results = super().evaluate(candidates)
        results.metrics["share"] = results.metrics["share"][:0]
        return results


class ExecutorConformance:
    """The contract of `Executor`, as tests, with a tiny space and evaluators of their own. Give `make_executor`.

    class TestMyExecutor(ExecutorConformance):
        @pytest.fixture
        def make_executor(self):
            return MyExecutor
    """

    patience = 60.0
    """Seconds after which a row that has not come back counts as lost."""

    @pytest.fixture
    def make_executor(self) -> MakeExecutor:
        """Takes a bound evaluator and gives an executor; the suite closes it."""
        raise NotImplementedError("give the suite a fixture `make_executor` that returns a function")

    @pytest.fixture
    def executor_of(self, make_executor: MakeExecutor) -> Iterator[Callable[[type[Evaluator]], Executor]]:
        """Makes executors that are closed after the test."""
        made: list[Executor] = []

        def make(cls: type[Evaluator]) -> Executor:
            evaluator = cls()
            evaluator.bind(TinySpace())
            made.append(make_executor(evaluator))
            return made[-1]

        yield make
        for executor in made:
            executor.close()

    @pytest.fixture
    def executor(self, executor_of: Callable[[type[Evaluator]], Executor]) -> Executor:
        """An executor of the tiny evaluator."""
        return executor_of(TinyEvaluator)

    def test_has_a_slot(self, executor: Executor) -> None:
        assert executor.slots >= 1

    def test_every_row_comes_back_exactly_once(self, executor: Executor) -> None:
        batches = [make_candidates(numbers(size), first_id=100 * size) for size in (5, 1, 8, 3)]
        for batch in batches:
            executor.submit(batch)
        submitted = [id for batch in batches for id in batch.evaluation_ids.tolist()]
        returned = self.gather(executor, len(submitted)).evaluation_ids.tolist()
        assert Counter(returned) == Counter(submitted)
        assert executor.collect(timeout=0.1) == []

    def test_rows_are_those_of_their_candidates(self, executor: Executor) -> None:
        batch = make_candidates(numbers(7), purpose=Purpose.VERIFICATION, fidelity=0.25)
        results = self.evaluate(executor, batch)
        assert (results.status == Status.OK).all(), results.errors
        assert results.evaluation_ids.tolist() == batch.evaluation_ids.tolist()
        assert results.metrics["number"].tolist() == [genotype["number"] for genotype in batch.genotypes]
        assert results.metrics["own_seed"].tolist() == batch.seeds.tolist()
        assert set(results.metrics["common_seed"].tolist()) == {batch.shared_seed}
        assert set(results.metrics["share"].tolist()) == {0.25}
        assert set(results.metrics["verifies"].tolist()) == {1.0}

    def test_starts_reach_their_rows(self, executor: Executor) -> None:
        batch = make_candidates([*numbers(4), {"number": 50, "does": "raise"}])
        first, second, *_, culprit = batch.evaluation_ids.tolist()
        starts = {
            first: Start({"w": np.array([3.0, 4.0], np.float32), "steps": np.array(2)}, 0.25),
            second: Start({"w": np.zeros((1, 0))}),
            culprit: Start({}, 0.5),
        }
        results = self.evaluate(executor, replace(batch, starts=starts))
        assert results.metrics["begins_at"].tolist()[:4] == [9.25, 0, -1, -1]
        assert starts[first].weights["w"].tolist() == [3, 4]

    def test_only_the_culprit_fails(self, executor: Executor) -> None:
        results = self.evaluate(executor, make_candidates([*numbers(3), {"number": 50, "does": "raise"}, *numbers(2)]))
        assert statuses(results) == [*3 * [Status.OK], Status.FAILED, *2 * [Status.OK]]
        culprit = int(results.evaluation_ids[3])
        assert set(results.errors) == {culprit}
        assert "RuntimeError: number 50 is broken" in results.errors[culprit]
        assert "Traceback" in results.errors[culprit]
        assert np.isnan([column[3] for column in results.metrics.values()]).all()

    @pytest.mark.parametrize("does", ENDS)
    def test_what_would_end_the_process_costs_its_candidate_alone(self, executor: Executor, does: str) -> None:
        results = self.evaluate(executor, make_candidates([*numbers(2), {"number": 50, "does": does}, *numbers(1)]))
        assert statuses(results) == [Status.OK, Status.OK, Status.FAILED, Status.OK]
        error = results.errors[int(results.evaluation_ids[2])]
        assert f"{ENDS[does].__name__}: number 50 wants to go" in error
        assert "Traceback" in error

    def test_an_impossible_genotype_is_invalid_and_says_why(self, executor: Executor) -> None:
        results = self.evaluate(executor, make_candidates([*numbers(2), {"number": 7, "does": "refuse"}]))
        assert statuses(results) == [Status.OK, Status.OK, Status.INVALID]
        assert results.errors == {int(results.evaluation_ids[2]): "number 7 stands for nothing"}

    @pytest.mark.parametrize(("does", "value"), [("give_nan", "nan"), ("give_infinity", "inf")])
    def test_a_metric_that_is_no_number_is_a_failure(self, executor: Executor, does: str, value: str) -> None:
        results = self.evaluate(executor, make_candidates([*numbers(2), {"number": 7, "does": does}]))
        assert statuses(results) == [Status.OK, Status.OK, Status.FAILED]
        assert f"number is {value}" in results.errors[int(results.evaluation_ids[2])]

    @pytest.mark.parametrize(
        ("cls", "message"),
        [
            (ForgetfulEvaluator, "missing: ['share']"),
            (LossyEvaluator, "one row for each of"),
            (ShortEvaluator, "metric share: expected a number for each of"),
        ],
    )
    def test_a_broken_evaluator_is_told_what_is_wrong(
        self, executor_of: Callable[[type[Evaluator]], Executor], cls: type[Evaluator], message: str
    ) -> None:
        results = self.evaluate(executor_of(cls), make_candidates(numbers(3)))
        assert statuses(results) == 3 * [Status.FAILED]
        for error in results.errors.values():
            assert message in error

    def test_says_who_evaluated(self, executor: Executor) -> None:
        results = self.evaluate(executor, make_candidates(numbers(3)))
        assert set(results.workers) == set(results.evaluation_ids.tolist())
        assert all(results.workers.values())

    def test_weights_stay_until_fetched(self, executor: Executor) -> None:
        results = self.evaluate(executor, make_candidates(numbers(4)))
        assert results.weights == {}
        first, second, third, _ = results.evaluation_ids.tolist()
        fetched = executor.fetch([second, first, 987_654_321])
        assert {id: weights["w"].tolist() for id, weights in fetched.items()} == {
            id: [id, 1.5] for id in (first, second)
        }
        executor.release([first, 987_654_321])
        executor.release([first])
        assert set(executor.fetch([first, second, third])) == {second, third}

    def test_learning_curves_come_with_their_rows(self, executor: Executor) -> None:
        results = self.evaluate(executor, make_candidates([*numbers(2), {"number": 50, "does": "raise"}, *numbers(1)]))
        *_, failed, last = ids = results.evaluation_ids.tolist()
        assert set(results.curves) == set(ids) - {failed}
        assert results.curves[last].epochs.tolist() == [1.0, 2.0]
        assert {id: curve.scores["share"].tolist() for id, curve in results.curves.items()} == {
            id: [0.5, id] for id in ids if id != failed
        }

    def test_collecting_nothing_gives_nothing(self, executor: Executor) -> None:
        assert executor.collect(timeout=0.0) == []
        assert executor.collect() == []

    def test_genotypes_stay_as_they_are(self, executor: Executor) -> None:
        batch = make_candidates(numbers(3))
        self.evaluate(executor, batch)
        assert batch.genotypes == numbers(3)

    def test_results_stay_as_they_are(self, executor: Executor) -> None:
        first = self.evaluate(executor, make_candidates(numbers(3)))
        self.evaluate(executor, make_candidates(numbers(2), first_id=100))
        assert first.metrics["number"].tolist() == [genotype["number"] for genotype in numbers(3)]
        fetched = executor.fetch(first.evaluation_ids.tolist())
        assert [fetched[id]["w"].tolist() for id in first.evaluation_ids.tolist()] == [
            [id, 1.5] for id in first.evaluation_ids.tolist()
        ]

    def test_may_be_closed_twice_and_with_work_left(self, executor: Executor) -> None:
        executor.submit(make_candidates(numbers(3)))
        executor.close()
        executor.close()

    def evaluate(self, executor: Executor, batch: Candidates) -> Results:
        """Submit a batch and return its rows in its own order."""
        executor.submit(batch)
        results = self.gather(executor, len(batch))
        row_of = {id: row for row, id in enumerate(results.evaluation_ids.tolist())}
        return results.take([row_of[id] for id in batch.evaluation_ids.tolist()])

    def gather(self, executor: Executor, rows: int) -> Results:
        """Collect until this many rows have come back."""
        parts: list[Results] = []
        deadline = time.monotonic() + self.patience
        while sum(map(len, parts)) < rows:
            assert time.monotonic() < deadline, f"{sum(map(len, parts))} of {rows} rows in {self.patience:g} s"
            parts.extend(executor.collect(timeout=1.0))
        return Results.join(parts)


def numbers(size: int) -> list[Genotype]:
    """Genotypes that evaluate well."""
    return [{"number": 10 + index, "does": "well"} for index in range(size)]


def statuses(results: Results) -> list[Status]:
    """As members of the enum."""
    return [Status(status) for status in results.status.tolist()]
