"""The built-in executors keep the contract, and the suite notices executors that do not."""

import inspect

import pytest

from qd.candidates import Status
from qd.executors import Executor, InlineExecutor, evaluate
from qd.testing import ExecutorConformance
from qd.testing.executors import TinyEvaluator, TinySpace


class TestInlineExecutor(ExecutorConformance):
    @pytest.fixture
    def make_executor(self) -> type[InlineExecutor]:
        return InlineExecutor


class Repeats(InlineExecutor):
    """Returns every batch twice."""

    def collect(self, timeout=None):
        return 2 * super().collect(timeout)


class RelabelsRows(InlineExecutor):
    """Takes the order of the rows for that of the candidates."""

    def submit(self, candidates):
        self.batch = candidates
        super().submit(candidates)

    def collect(self, timeout=None):
        found = super().collect(timeout)
        for results in found:
            results.evaluation_ids = self.batch.evaluation_ids
        return found


class BlamesAll(InlineExecutor):
    """Fails the batch with its culprit."""

    def collect(self, timeout=None):
        found = super().collect(timeout)
        for results in found:
            if (results.status != Status.OK).any():
                results.status[:] = Status.FAILED
        return found


class Anonymous(InlineExecutor):
    def collect(self, timeout=None):
        return [evaluate(self._evaluator, self._queue.popleft())]


class Hoards(InlineExecutor):
    def release(self, ids):
        pass


@pytest.mark.parametrize(
    ("executor", "test"),
    [
        (Repeats, "every_row_comes_back_exactly_once"),
        (RelabelsRows, "rows_are_those_of_their_candidates"),
        (BlamesAll, "only_the_culprit_fails"),
        (BlamesAll, "an_impossible_genotype_is_invalid_and_says_why"),
        (Anonymous, "says_who_evaluated"),
        (Anonymous, "weights_stay_until_fetched"),
        (Hoards, "weights_stay_until_fetched"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_executor_is_noticed(executor: type[InlineExecutor], test: str) -> None:
    suite, evaluator = ExecutorConformance(), TinyEvaluator()
    evaluator.bind(TinySpace())
    made: Executor = executor(evaluator)
    method = getattr(suite, f"test_{test}")
    assert list(inspect.signature(method).parameters) == ["executor"]
    with pytest.raises(AssertionError, match="assert"):
        method(made)


def test_a_row_that_never_comes_back_is_noticed() -> None:
    class Swallows(InlineExecutor):
        def collect(self, timeout=None):
            return []

    suite = ExecutorConformance()
    suite.patience = 0.0
    evaluator = TinyEvaluator()
    evaluator.bind(TinySpace())
    with pytest.raises(AssertionError, match="0 of 17 rows"):
        suite.test_every_row_comes_back_exactly_once(Swallows(evaluator))
