"""The Ray executor keeps the contract of executors, also when its workers die, hang or eat memory."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import numpy as np
import pytest

from evaluators import Evaluator, Metric, SingleEvaluator
from qd.candidates import Results, Status
from qd.errors import QdError
from qd.executors.ray.cluster import connect
from qd.executors.ray.executor import RayExecutor
from qd.executors.ray.options import RayConfig
from qd.testing import ExecutorConformance
from qd.testing.batches import make_candidates
from qd.testing.executors import TinyEvaluator, TinySpace, numbers
from search_spaces import Choice, Integer, SearchSpace, Struct

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file
pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One for all tests of this file, with room for two executors: starting it takes longer than they do."""
    connection = connect(RayConfig(workers=4))
    yield
    connection.close()


@pytest.fixture
def executor_with() -> Iterator[Callable[..., RayExecutor]]:
    """Make an executor of `Dangerous` candidates, with options."""
    made: list[RayExecutor] = []

    def make(evaluator: type[Evaluator] | None = None, **options: Any) -> RayExecutor:
        bound = (evaluator or Dangerous)()
        bound.bind(Traps())
        made.append(RayExecutor(bound, RayConfig(**{"workers": 2, **options})))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


@pytest.fixture(scope="class")
def kept() -> Iterator[RayExecutor]:
    """One for all tests of the suite that do not close it: its workers take seconds to start."""
    evaluator = TinyEvaluator()
    evaluator.bind(TinySpace())
    executor = RayExecutor(evaluator, RayConfig(workers=2))
    yield executor
    executor.close()


class TestRayExecutor(ExecutorConformance):
    @pytest.fixture
    def make_executor(self):
        return lambda evaluator: RayExecutor(evaluator, RayConfig(workers=2))

    @pytest.fixture
    def executor(self, request, kept, executor_of):
        return executor_of(TinyEvaluator) if "closed" in request.node.name else kept


class Traps(SearchSpace):
    genes = Struct(number=Integer(0, 99), does=Choice("well", "exit", "sleep", "eat"))


class Dangerous(SingleEvaluator):
    """Ends its process, never ends, or takes all memory, where a genotype says so."""

    metrics = {"number": Metric("", 0, 99)}

    def evaluate_one(self, genotype, seed):
        if genotype["does"] == "exit":
            os._exit(7)
        if genotype["does"] == "sleep":
            time.sleep(3600)
        if genotype["does"] == "eat":
            hoard = [np.ones(2**22) for _ in range(1000)]
            return {"number": len(hoard)}
        return {"number": genotype["number"]}


class TestTraps:
    """A suite's helpers, for candidates that are dangerous."""

    suite = ExecutorConformance()

    def test_one_that_ends_its_worker_is_lost_alone(self, executor_with):
        executor = executor_with(max_attempts=2)
        genotypes = [*numbers(2), {"number": 50, "does": "exit"}, *numbers(1)]
        results = self.suite.evaluate(executor, make_candidates(genotypes))
        assert results.status.tolist() == [Status.OK, Status.OK, Status.LOST, Status.OK]
        assert results.metrics["number"][[0, 1, 3]].tolist() == [10, 11, 10]
        [culprit] = results.errors
        assert culprit == results.evaluation_ids[2]
        assert results.errors[culprit].startswith("attempt 2, the last: its worker died: Worker ")
        assert results.workers[culprit] == socket.gethostname()
        assert results.attempts == dict.fromkeys(results.evaluation_ids.tolist(), 2)

    def test_one_that_never_ends_is_timed_out_alone(self, executor_with):
        executor = executor_with(timeout_seconds=1.0, max_attempts=2)
        genotypes = [{"number": 50, "does": "sleep"}, *numbers(2)]
        results = self.suite.evaluate(executor, make_candidates(genotypes))
        assert results.status.tolist() == [Status.TIMED_OUT, Status.OK, Status.OK]
        assert list(results.errors.values()) == ["attempt 2, the last: not done within 1 s"]
        assert results.attempts == dict.fromkeys(results.evaluation_ids.tolist(), 2)

    def test_one_that_eats_memory_fails_at_the_limit(self, executor_with):
        executor = executor_with(workers=1, memory="300MB")
        results = self.suite.evaluate(executor, make_candidates([{"number": 50, "does": "eat"}, *numbers(2)]))
        assert results.status.tolist() == [Status.FAILED, Status.OK, Status.OK]
        assert "MemoryError" in next(iter(results.errors.values()))
        assert results.attempts == {}

    def test_what_waits_behind_a_candidate_that_hangs_is_not_blamed(self, executor_with):
        executor = executor_with(workers=1, timeout_seconds=1.0, max_attempts=1)
        executor.submit(make_candidates([{"number": 50, "does": "sleep"}]))
        executor.submit(make_candidates(numbers(2), first_id=10))
        results = self.suite.gather(executor, 3)
        assert sorted(results.status.tolist()) == [Status.OK, Status.OK, Status.TIMED_OUT]
        assert results.attempts == {next(iter(results.errors)): 1}


class Broken(TinyEvaluator):
    """Cannot be unpickled."""

    def __reduce__(self):
        return _refuse, ()


def _refuse() -> None:
    raise FileNotFoundError("no data on this machine")


def test_when_no_worker_can_start_the_reason_is_said() -> None:
    evaluator = Broken()
    evaluator.bind(TinySpace())
    with pytest.raises(QdError, match=r"no worker could be started.*\n.*no data on this machine"):
        RayExecutor(evaluator, RayConfig(workers=1))


def test_weights_of_a_dead_worker_are_left_out() -> None:
    class Trains(Dangerous):
        def evaluate(self, candidates):
            results = super().evaluate(candidates)
            results.weights = {id: {"w": np.full(3, id)} for id in results.evaluation_ids.tolist()}
            return results

    evaluator = Trains()
    evaluator.bind(Traps())
    executor = RayExecutor(evaluator, RayConfig(workers=1, max_attempts=1))
    try:
        suite = ExecutorConformance()
        first = suite.evaluate(executor, make_candidates(numbers(2)))
        ids = first.evaluation_ids.tolist()
        assert set(executor.fetch(ids)) == set(ids)
        suite.evaluate(executor, make_candidates([{"number": 50, "does": "exit"}], first_id=10))
        assert executor.fetch(ids) == {}
        executor.release(ids)
        again = suite.evaluate(executor, make_candidates(numbers(1), first_id=20))
        assert isinstance(again, Results)
        assert set(executor.fetch(again.evaluation_ids.tolist())) == set(again.evaluation_ids.tolist())
    finally:
        executor.close()
