"""What an executor is to the search, and how every executor evaluates a batch."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from evaluators import Evaluator

from ..candidates import Candidates, Results, Status, Weights, outcome_of
from ..interrupts import told_apart
from ..precision import single_precision
from ..registry import Registry
from .checking import BreachError, checked


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

    in_process: bool = False
    """Whether candidates are evaluated in the process of the search, in turn, so that one of them may end it."""

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

    @property
    def workers(self) -> int:
        """How many batches it evaluates at one time, once all of it is up."""
        return 1

    @property
    def best_chunk(self) -> int | None:
        """How many candidates its evaluators take best at once; None: they do not say, or cannot be asked now."""
        return None

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

    The evaluator gets a copy, and what it returns is checked and copied, so nothing is shared with it. When the whole
    batch raises, whatever that is, or breaks the contract, it is evaluated again one by one, and only the culprit is
    FAILED (or INVALID, when what it raises is `Invalid`). A missing, unknown or non-finite metric is a failure too.
    """
    started = time.perf_counter()
    try:
        with told_apart(), single_precision():
            return checked(evaluator, candidates, evaluator.evaluate(candidates.copy()))
    except BreachError as error:
        status, text = Status.FAILED, str(error)
    except BaseException as error:
        status, text = outcome_of(error)
    if len(candidates) > 1:
        return Results.join(evaluate(evaluator, candidates.take([row])) for row in range(len(candidates)))
    return Results.without_metrics(candidates, status, text, time.perf_counter() - started)
