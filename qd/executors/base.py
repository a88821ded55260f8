"""What an executor is to the search, and how every executor evaluates a batch."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from evaluators import Evaluator
from search_spaces import Invalid

from ..candidates import Candidates, Results, Status, Weights
from ..registry import Registry


@dataclass(frozen=True)
class Work:
    """What a run gives its executor.

    Args:
        evaluator: bound to the run's space.
        recipe: makes such an evaluator anew, in another process; it takes the folder of the plug-ins there.
        plugins: their folder here; None where there are none.
        ordered: whether the log depends on what is evaluated together, so that batches are sent as they are given.
    """

    evaluator: Evaluator
    recipe: Callable[[Path | None], Evaluator]
    plugins: Path | None
    ordered: bool


class Executor(ABC):
    """Evaluates batches somewhere, in any order.

    Every submitted row comes back exactly once from `collect`, whatever happens to it. Called by one thread. The
    constructor takes the bound `evaluator`; its other arguments are the keys beside `kind` in the run file.
    """

    @classmethod
    def for_run(cls, work: Work, keys: Mapping[str, Any], where: str) -> Self:
        """Make it as a run file says; one that needs more than the evaluator takes it out of `work`.

        Args:
            work: of the run.
            keys: those beside `kind`.
            where: the run file and its key, for messages.

        Raises:
            UsageError: a key is unknown or does not fit, or what evaluates cannot be used.
        """
        return Registry().construct(cls, keys, where, evaluator=work.evaluator)

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many batches keep it busy, those that wait at its workers included; it may change."""

    def chunk(self, given: int) -> int:
        """How many candidates a batch should hold where nothing but speed rests on it.

        Args:
            given: what the run file says.
        """
        return given

    @abstractmethod
    def submit(self, candidates: Candidates) -> None:
        """Take a batch; returns at once."""

    @abstractmethod
    def collect(self, timeout: float | None = None) -> list[Results]:
        """Return what has finished; wait for at least one result, or until `timeout` seconds have passed."""

    @abstractmethod
    def fetch(self, ids: Iterable[int]) -> dict[int, Weights]:
        """Return the trained weights of these evaluations; ids that have none are left out."""

    @abstractmethod
    def release(self, ids: Iterable[int]) -> None:
        """Forget the weights of these evaluations; unknown ids are no error."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was taken; may be called twice."""


def evaluate(evaluator: Evaluator, candidates: Candidates) -> Results:
    """Evaluate a batch so that every row has a result.

    When the whole batch raises or does not answer as the contract says, it is evaluated again one by one, and only the
    culprit is FAILED (or INVALID, when what it raises is `Invalid`). A missing, unknown or non-finite metric is a
    failure too.
    """
    started = time.perf_counter()
    try:
        results = evaluator.evaluate(candidates)
    except Exception as error:
        if len(candidates) > 1:
            return _one_by_one(evaluator, candidates)
        status = Status.INVALID if isinstance(error, Invalid) else Status.FAILED
        text = str(error) if isinstance(error, Invalid) else traceback.format_exc()
        return Results.without_metrics(candidates, status, text, time.perf_counter() - started)
    problem = _mismatch(evaluator, candidates, results)
    if problem and len(candidates) > 1:
        return _one_by_one(evaluator, candidates)
    if problem:
        return Results.without_metrics(candidates, Status.FAILED, problem, time.perf_counter() - started)
    return _without_nan(results)


def _one_by_one(evaluator: Evaluator, candidates: Candidates) -> Results:
    return Results.join(evaluate(evaluator, candidates.take([row])) for row in range(len(candidates)))


def _mismatch(evaluator: Evaluator, candidates: Candidates, results: Results) -> str:
    name = type(evaluator).__name__
    if not isinstance(results, Results):
        return f"{name}.evaluate must return Results, got {type(results).__name__}"
    if sorted(results.evaluation_ids.tolist()) != sorted(candidates.evaluation_ids.tolist()):
        return f"{name}.evaluate must return one row for each of {len(candidates)} candidates, got {len(results)} rows"
    wrong = [name for name, column in results.metrics.items() if np.shape(column) != (len(candidates),)]
    if wrong:
        shapes = ", ".join(f"{name} of shape {np.shape(results.metrics[name])}" for name in wrong)
        return f"{name}.evaluate must report columns of {len(candidates)} numbers, got {shapes}"
    declared = {**evaluator.metrics, **evaluator.space.metrics}
    if (results.status == Status.OK).any() and set(results.metrics) != set(declared):
        missing, unknown = sorted(set(declared) - set(results.metrics)), sorted(set(results.metrics) - set(declared))
        return (
            f"{name} must report {', '.join(declared)}; missing: {missing or 'none'}, not declared: {unknown or 'none'}"
        )
    return ""


def _without_nan(results: Results) -> Results:
    bad = np.zeros(len(results), dtype=bool)
    for column in results.metrics.values():
        bad |= ~np.isfinite(column)
    for row in np.flatnonzero(bad & (results.status == Status.OK)):
        values = {name: float(column[row]) for name, column in results.metrics.items()}
        wrong = ", ".join(f"{name} is {value}" for name, value in values.items() if not np.isfinite(value))
        results.status[row] = Status.FAILED
        results.errors[int(results.evaluation_ids[row])] = (
            f"metric {wrong}: expected finite numbers (one that was not reported counts as nan)"
        )
    answered = results.status == Status.OK
    if not answered.all():
        results.metrics = {name: np.where(answered, column, np.nan) for name, column in results.metrics.items()}
    return results
