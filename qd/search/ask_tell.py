"""Ask and tell: the search for people who own their loop.

    with qd.open_search("run.yaml", out="results/mine") as search:
        while candidates := search.ask(8):
            search.tell(candidates, [measure(one.genotype) for one in candidates])

What `ask` returns and what `tell` takes is in the log before they return. So a client that is killed loses nothing that
it told, and when the run is opened again it is handed once more what it was asked and did not tell.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from search_spaces import Genotype, Invalid, Metric

from ..candidates import Candidates, Results, Status, Weights
from ..errors import UsageError, suggest
from ..executors import Executor
from ..space_hooks import key_or_error
from ..store.log import EvaluationRow
from ..store.resume import Proposal
from .full import Search
from .loop import FULL_FIDELITY, Ending
from .problem import Problem

STATUSES = [status.label for status in Status]


@dataclass(frozen=True)
class Asked:
    """An evaluation that was asked for.

    Args:
        evaluation: its id, by which it is told.
        candidate: the id of what is evaluated.
        genotype: plain data.
        fidelity: share of the full budget, in (0, 1].
        seed: the candidate's own, in [0, 2**53).
        shared_seed: equal for all that are compared under equal conditions.
        emitter: who proposed it.
        operator: how.
        parents: candidate ids.
    """

    evaluation: int
    candidate: int
    genotype: Genotype
    fidelity: float
    seed: int
    shared_seed: int
    emitter: str
    operator: str
    parents: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of an evaluation: metrics where it is ok, an error where it is not.

    Args:
        metrics: {name: number}, all that the run declares; empty where the status is not "ok".
        status: "ok", "invalid" (the genotype cannot stand for an architecture), "failed", "timed_out" or "lost".
        error: what went wrong, for people.
        seconds: how long it took.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    status: str = "ok"
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Receipt:
    """What became of a result.

    Args:
        candidate: its id.
        evaluation: its id; None of a duplicate that nobody asked for, which counts as no evaluation.
        twin: the earlier candidate that such a duplicate repeats.
        elite: whether it is an elite now.
    """

    candidate: int
    evaluation: int | None
    twin: int | None = None
    elite: bool = False


class HandedOut(Executor):
    """Evaluates nothing: what is submitted is handed to whoever asks."""

    @property
    def slots(self) -> int:
        return 1

    def submit(self, candidates: Candidates) -> None:
        pass

    def collect(self, timeout: float | None = None) -> list[Results]:
        return []

    def fetch(self, ids: Iterable[int]) -> dict[int, Weights]:
        return {}

    def release(self, ids: Iterable[int]) -> None:
        pass

    def close(self) -> None:
        pass


class AskTell:
    """A search that is open for asking and telling, by one thread. `qd.open_search` makes it.

    Attributes:
        archive: the map so far.
        folder: of the run; `qd.open_run` looks at it, also while this is open.
    """

    def __init__(self, search: Search, problem: Problem, folder: Path, close: Callable[[Ending], None]) -> None:
        self.folder = folder
        self.archive = search.archive
        self._search, self._problem, self._close = search, problem, close
        self._metrics: dict[str, Metric] = {name: metric for name, (metric, _) in problem.metrics.items()}
        self._again = dict(search.in_flight)  # asked in an earlier session
        self._fell_short = False
        self._open = True
        self._worker = f"outside, {socket.gethostname()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """{name: definition} of what is to be told."""
        return self._metrics

    @property
    def evaluations(self) -> int:
        """How many were told, whatever their status, in all sessions."""
        return self._search.evaluations

    @property
    def under_way(self) -> list[Asked]:
        """Asked and not told."""
        return [_asked(*pair) for pair in self._search.in_flight.values()]

    @property
    def ending(self) -> Ending | None:
        """Why nothing more can be asked for: the budget or its patience is used, or the space exhausted; else None."""
        return self._search.spent or (Ending.EXHAUSTED if self._fell_short else None)

    def ask(self, n: int, fidelity: float | None = None) -> list[Asked]:
        """Return what is to be evaluated: first what an earlier session was asked and did not tell.

        Args:
            n: how many, at least 1.
            fidelity: share of the full budget that new ones are to be evaluated with, in (0, 1]; None: in full, or as
                the run's rungs say. Results of less than 1 are logged and enter no archive, and an architecture is
                asked for once at each fidelity.

        Returns:
            At most n; fewer, or none, where the budget is used or the space is exhausted. The log has them.

        Raises:
            UsageError: an argument is out of range, or the search is closed.
        """
        self._check_open()
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise UsageError(f"ask: expected a number of candidates of at least 1, got {n!r}")
        if fidelity is not None:
            _check_fidelity("ask", fidelity)
            if self._problem.config.search.rungs is not None:
                raise UsageError("ask: the run's rungs say how much of the budget each candidate gets; leave it out")
        old = [self._again.pop(evaluation) for evaluation in list(self._again)[:n]]
        with self._problem.registry.at_hand():
            new = self._search.ask(n - len(old), fidelity) if len(old) < n else []
        self._fell_short = len(old) + len(new) < n
        return [_asked(*pair) for pair in [*old, *new]]

    def propose(self, genotype: Genotype, fidelity: float = FULL_FIDELITY) -> Asked | None:
        """Put a genotype of one's own under way, by the emitter `outside`; it is told like any other.

        Returns:
            What is to be evaluated; None where the architecture was asked for already (the log notes a duplicate).

        Raises:
            UsageError: the space refuses the genotype, the budget is used, or the search is closed.
        """
        self._check_open()
        _check_fidelity("propose", fidelity)
        self._check_genotype("propose", genotype)
        self._check_budget("propose", 1)
        with self._problem.registry.at_hand():
            row, proposal = self._search.enter(copy.deepcopy(genotype), fidelity)
        return _asked(row, proposal) if row else None

    def tell(
        self, candidates: Sequence[Asked | int | Genotype], results: Sequence[Mapping[str, float] | Outcome]
    ) -> list[Receipt]:
        """Take in results; all of them are in the log when it returns, and none where one is refused.

        Args:
            candidates: what `ask` or `propose` returned, all of it or a part, in any order; or evaluation ids. A
                genotype (a list or dict) that nobody asked for enters by the emitter `outside`, at full fidelity.
            results: one for each: {metric: number}, or an `Outcome`.

        Raises:
            UsageError: naming the row: it was told already or never asked for, a genotype is refused by the space, a
                metric is missing, unknown or no finite number, or the budget holds no more.
            QdError: the log cannot be written; all that was told before is safe.
        """
        self._check_open()
        if len(candidates) != len(results):
            raise UsageError(f"tell: expected a result for each of {len(candidates)} candidates, got {len(results)}")
        outcomes = [self._outcome(f"results[{row}]", result) for row, result in enumerate(results)]
        known = [self._known(f"candidates[{row}]", one) for row, one in enumerate(candidates)]
        for row, evaluation in enumerate(known):
            if evaluation is not None and evaluation in known[:row]:
                raise UsageError(f"candidates[{row}]: evaluation {evaluation} stands twice")
        self._check_budget("tell", known.count(None))
        told: list[Receipt] = []
        taken = {evaluation for evaluation in known if evaluation is not None}
        with self._problem.registry.at_hand():
            for one, evaluation in zip(candidates, known, strict=True):
                told.append(self._enter(one, taken) if evaluation is None else self._receipt(evaluation))
            rows = [row for row, one in enumerate(told) if one.evaluation is not None]
            if rows:
                self._search.tell(
                    self._results([told[row].evaluation for row in rows], [outcomes[row] for row in rows])
                )
        for row in rows:
            self._again.pop(told[row].evaluation or 0, None)
        elites = set(self.archive.elites.candidates.tolist())
        return [dataclasses.replace(one, elite=one.evaluation is not None and one.candidate in elites) for one in told]

    def close(self) -> None:
        """Close the log; what is under way is handed out again when the run is opened next. May be called twice."""
        if self._open:
            self._open = False
            complete = self.ending is not None and not self._search.in_flight
            self._close(self.ending if self.ending and complete else Ending.INTERRUPTED)

    # ----------------------------------------------------------------- rows

    def _enter(self, genotype: Genotype, taken: set[int]) -> Receipt:
        """Enter a genotype that nobody asked for; one that is under way already is told as that."""
        row, proposal = self._search.enter(copy.deepcopy(genotype))
        candidate = proposal.candidate
        if row is None:
            for evaluation, (asked, _) in self._search.in_flight.items():
                if asked.candidate == candidate.twin and evaluation not in taken:
                    taken.add(evaluation)
                    return self._receipt(evaluation)
            return Receipt(candidate.id, None, candidate.twin)
        taken.add(row.id)
        return Receipt(candidate.id, row.id)

    def _receipt(self, evaluation: int) -> Receipt:
        return Receipt(self._search.in_flight[evaluation][0].candidate, evaluation)

    def _results(self, evaluations: Sequence[int | None], outcomes: Sequence[Outcome]) -> Results:
        ids = np.array(evaluations, dtype=np.int64)
        statuses = [Status[one.status.upper()] for one in outcomes]
        return Results(
            ids,
            np.array(statuses, dtype=np.int64),
            {name: np.array([one.metrics.get(name, math.nan) for one in outcomes], float) for name in self._metrics},
            np.array([one.seconds for one in outcomes], dtype=np.float64),
            errors={id: one.error for id, one in zip(ids.tolist(), outcomes, strict=True) if one.status != "ok"},
            workers=dict.fromkeys(ids.tolist(), self._worker),
        )

    def _known(self, where: str, one: Any) -> int | None:
        """The evaluation that a row of `tell` names; None of a genotype that nobody asked for."""
        if isinstance(one, (dict, list)):
            self._check_genotype(where, one)
            return None
        evaluation = one.evaluation if isinstance(one, Asked) else one
        if isinstance(evaluation, bool) or not isinstance(evaluation, int):
            raise UsageError(f"{where}: expected what ask returned, an evaluation's id or a genotype, got {one!r}")
        if evaluation not in self._search.in_flight:
            asked = 1 <= evaluation <= self._search.evaluations_asked
            raise UsageError(
                f"{where}: evaluation {evaluation} was told already; the log keeps the first result"
                if asked
                else f"{where}: evaluation {evaluation} was never asked for"
            )
        return evaluation

    def _outcome(self, where: str, result: Any) -> Outcome:
        outcome = result if isinstance(result, Outcome) else Outcome(result)
        if outcome.status not in STATUSES:
            raise UsageError(f"{where}.status: unknown status {outcome.status!r}{suggest(outcome.status, STATUSES)}")
        if not isinstance(outcome.metrics, Mapping):
            raise UsageError(f"{where}: expected {{metric: number}} or an Outcome, got {result!r}")
        if outcome.status != "ok" and outcome.metrics:
            raise UsageError(f"{where}: a result that is {outcome.status} has no metrics; leave them out")
        if not _is_number(outcome.seconds) or outcome.seconds < 0:
            raise UsageError(f"{where}.seconds: expected a number of at least 0, got {outcome.seconds!r}")
        if outcome.status == "ok":
            self._check_metrics(where, outcome.metrics)
        return outcome

    def _check_metrics(self, where: str, metrics: Mapping[str, Any]) -> None:
        for name in metrics:
            if name not in self._metrics:
                raise UsageError(f"{where}: unknown metric {name!r}{suggest(str(name), list(self._metrics))}")
        for name in self._metrics:
            if name not in metrics:
                raise UsageError(f"{where}: metric {name!r} is missing; expected {', '.join(self._metrics)}")
            if not _is_number(metrics[name]):
                raise UsageError(
                    f"{where}: metric {name!r}: expected a finite number, got {metrics[name]!r};"
                    ' of an evaluation without an answer tell the status "failed"'
                )

    def _check_genotype(self, where: str, genotype: Genotype) -> None:
        try:
            self._problem.space.genes.validate(genotype)
        except Invalid as error:
            raise UsageError(f"{where}: no genotype of {self._problem.config.space.kind}: {error}") from None
        key = key_or_error(self._problem.space, genotype)
        if not isinstance(key, str):
            kind = self._problem.config.space.kind
            raise UsageError(f"{where}: {kind} gives no key of it ({type(key).__name__}: {key})") from key

    def _check_budget(self, where: str, new: int) -> None:
        if new and (new > self._search.left(new) or self._search.spent):
            raise UsageError(
                f"{where}: the budget is used: {self._search.evaluations_asked:,} evaluations were asked for;"
                " to go on, open the run again with a larger one"
            )

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("this search is closed; open its folder again with qd.open_search")


def _asked(row: EvaluationRow, proposal: Proposal) -> Asked:
    candidate = proposal.candidate
    return Asked(
        evaluation=row.id,
        candidate=candidate.id,
        genotype=copy.deepcopy(proposal.genotype),
        fidelity=row.fidelity,
        seed=row.seed,
        shared_seed=row.shared_seed,
        emitter=candidate.emitter,
        operator=candidate.operator,
        parents=tuple(json.loads(candidate.parents)),
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, str)):
        return False
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def _check_fidelity(where: str, fidelity: Any) -> None:
    if not _is_number(fidelity) or not 0 < fidelity <= 1:
        raise UsageError(f"{where}: expected a fidelity in (0, 1], got {fidelity!r}")
