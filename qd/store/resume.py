"""What a log says about the moment after its last tell: all that a search needs to go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from search_spaces import Genotype, Genotypes

from ..candidates import Results, Status
from .documents import PROCESS
from .log import CandidateRow, EvaluationRow, StartRow
from .pending import Batch, PendingRow, unpack_batch
from .reader import LogReader, columns


@dataclass(frozen=True)
class Proposal:
    """A candidate of which no answer is known yet."""

    candidate: CandidateRow
    genotype: Genotype
    fidelity: float
    """That it is to be evaluated at."""


class RungResult(NamedTuple):
    """An ok result below the full budget."""

    evaluation: int
    proposal: Proposal
    """At its fidelity."""
    metrics: Mapping[str, float]
    """Of the objective and the measures."""
    promoted: bool


class ToldBefore(NamedTuple):
    """What the log holds of first evaluations, in the order in which they were reported: columns over N."""

    results: Results
    candidates: np.ndarray
    genotypes: list[Genotype]


@dataclass(frozen=True)
class Unfinished:
    """The state after the last tell."""

    state: dict[str, Any] | None
    """What `Search` logged of itself; None where the driver was killed before it asked for anything."""
    session: int
    """The last one; 0 where none began."""
    in_flight: Sequence[tuple[EvaluationRow, Proposal]]
    """Asked but not told, by evaluation id."""
    promoted: Sequence[Proposal]
    """Duplicates whose twin failed, to be evaluated next."""
    waiting: Sequence[Proposal]
    """Other duplicates of a candidate that is in flight or promoted, by candidate id."""
    known: Mapping[tuple[bytes, float], int]
    """{(key, fidelity): candidate} of every architecture that has an answer, is in flight or promoted."""
    counts: Mapping[Status, int]
    """Finished search evaluations."""
    duplicates: int
    answered: Sequence[Proposal] = ()
    """Every candidate that is ok, where candidates are evaluated again; none else."""
    reevaluations: Sequence[tuple[int, bool]] = ()
    """(candidate, whether it was told) of every reevaluation."""
    told: ToldBefore | None = None
    """Where an emitter learns from it; else None."""
    rungs: Sequence[RungResult] = ()
    """Of a search with rungs, in the order in which they were told."""
    starts: Sequence[StartRow] = ()
    """Of what is in flight."""

    @property
    def genotypes(self) -> list[Genotypes]:
        """Of all that may be evaluated from now on."""
        proposals = [*(one for _, one in self.in_flight), *self.promoted, *self.waiting, *self.answered]
        proposals += [one.proposal for one in self.rungs]
        return [[one.genotype for one in proposals]]

    @property
    def first_batch(self) -> list[int]:
        """The evaluations under way that were sent together before all others."""
        rows = [row for row, _ in self.in_flight]
        return [row.id for row in rows if row.batch == rows[0].batch]


class Interrupted(NamedTuple):
    """What an accepted log says about the moment after its last tell."""

    state: dict[str, Any] | None
    """What the search logged of itself; None where the driver was killed before it asked for anything."""
    session: int
    """The last one; 0 where none began."""
    pending: list[Batch]
    """Asked and not told, in their order."""

    @property
    def genotypes(self) -> list[Genotypes]:
        """Of all that may be evaluated from now on."""
        return [batch.genotypes for batch in self.pending]

    @property
    def first_batch(self) -> list[int]:
        """The evaluations under way that were sent together before all others."""
        return self.pending[0].ids.tolist() if self.pending else []


@dataclass(frozen=True)
class LastSession:
    """Who wrote last.

    Args:
        process: what it noted of itself.
        died: whether it ended without a word.
    """

    process: Mapping[str, Any]
    died: bool


def last_session(run: LogReader) -> LastSession:
    """Read who wrote last."""
    rows = run.query("SELECT process FROM sessions ORDER BY id DESC LIMIT 1")
    return LastSession(run.document(rows[0][0], PROCESS) if rows else {}, run.meta("ending") is None)


def unfinished(run: LogReader, told: bool = False) -> Unfinished:
    """Read the state of a run; `told` says whether all that was told is wanted as well."""
    state = run.state()
    _check_counters(run, state)
    known: dict[tuple[bytes, float], int] = {}
    fidelities: dict[int, float] = {}
    asked = run.query(
        "SELECT c.key, e.fidelity, c.id, r._status FROM evaluations e JOIN candidates c ON c.id = e.candidate"
        " LEFT JOIN results r ON r._evaluation = e.id WHERE e.purpose = 'search' ORDER BY e.id"
    )
    open_keys: set[tuple[bytes, float]] = set()
    for key, fidelity, candidate, status in asked:
        fidelities.setdefault(candidate, fidelity)  # that it was proposed at
        if status is None or run.status(status).is_answer:
            known[key, fidelity] = candidate
        if status is None:
            open_keys.add((key, fidelity))
    duplicates = _duplicates(run, fidelities)
    promoted = [duplicates[id] for id in state["promoted"]] if state else []
    for proposal in promoted:
        known[proposal.candidate.key, proposal.fidelity] = proposal.candidate.id
        open_keys.add((proposal.candidate.key, proposal.fidelity))
    waiting = [
        proposal
        for proposal in duplicates.values()
        if (proposal.candidate.key, proposal.fidelity) in open_keys
        and known[proposal.candidate.key, proposal.fidelity] != proposal.candidate.id
    ]
    counts = run.query(
        "SELECT _status, COUNT(*) FROM results JOIN evaluations e ON e.id = _evaluation"
        " WHERE e.purpose IN ('search', 'reevaluation') GROUP BY _status"
    )
    again = run.query(
        "SELECT e.candidate, _status IS NOT NULL FROM evaluations e LEFT JOIN results ON e.id = _evaluation"
        " WHERE e.purpose = 'reevaluation' ORDER BY e.id"
    )
    ok = (
        "id IN (SELECT e.candidate FROM evaluations e JOIN results ON e.id = _evaluation"
        " WHERE e.purpose = 'search' AND e.fidelity = 1 AND _status = 0)"
    )
    return Unfinished(
        state=state,
        session=run.query("SELECT COALESCE(MAX(id), 0) FROM sessions")[0][0],
        in_flight=_in_flight(run),
        promoted=promoted,
        waiting=waiting,
        known=known,
        counts={run.status(status): count for status, count in counts},
        duplicates=len(duplicates),
        answered=[Proposal(row, run.genotype(row.genotype), 1.0) for row in _candidates(run, ok)]
        if run.reevaluates
        else [],
        reevaluations=[(candidate, bool(known)) for candidate, known in again],
        told=_told(run) if told else None,
        rungs=_rungs(run) if run.config.search.rungs else (),
        starts=_starts(run),
    )


def interrupted(run: LogReader) -> Interrupted:
    """Read where an accepted log ends."""
    rows = run.query("SELECT * FROM pending ORDER BY batch")
    with run.decoding():
        pending = [unpack_batch(PendingRow(*row)) for row in rows]
    state = run.state()
    _check_counters(run, state)
    session = run.query("SELECT COALESCE(MAX(id), 0) FROM sessions")[0][0]
    return Interrupted(state, session, pending)


def _check_counters(run: LogReader, state: Mapping[str, Any] | None) -> None:
    """Refuse a state that would number what comes next as rows that are there."""
    names = ("proposals", "evaluations_asked", "batches", "tells")
    used = run.query(
        "SELECT (SELECT MAX(id) FROM candidates), MAX(id), MAX(batch) + 1, (SELECT MAX(id) FROM tells)"
        " FROM evaluations WHERE purpose IN ('search', 'reevaluation')"
    )[0]
    with run.decoding():
        for name, least in zip(names, used, strict=True):
            count = state[name] if state else 0
            if count < (least or 0):
                raise ValueError(f"its state counts {count} {name.replace('_', ' ')}, its rows {least}")


def _told(run: LogReader) -> ToldBefore:
    names = list(run.metrics)
    rows = run.query(
        f"SELECT e.id, e.candidate, _status, c.genotype{columns(names)} FROM results"
        " JOIN evaluations e ON e.id = _evaluation JOIN candidates c ON c.id = e.candidate"
        " WHERE e.purpose = 'search' AND e.fidelity = 1 ORDER BY _tell, e.id"
    )
    evaluations, candidates, statuses, genotypes, *values = zip(*rows, strict=True) if rows else [()] * (4 + len(names))
    results = Results(
        np.array(evaluations, dtype=np.int64),
        np.array(statuses, dtype=np.int64),
        {name: np.array(column, dtype=np.float64) for name, column in zip(names, values, strict=True)},
        np.zeros(len(rows)),
    )
    return ToldBefore(results, np.array(candidates, dtype=np.int64), [run.genotype(text) for text in genotypes])


def _rungs(run: LogReader) -> list[RungResult]:
    assert run.config.search.rungs is not None
    fidelities, archive = run.config.search.rungs.fidelities, run.config.archive
    above = dict(pairwise(fidelities))
    names = list(dict.fromkeys([archive.objective.metric, *(axis.metric for axis in archive.measures)]))
    asked = set(run.query("SELECT candidate, fidelity FROM evaluations WHERE purpose = 'search'"))
    rows = run.query(
        f"SELECT e.id, e.fidelity, c.*{columns(names)} FROM results JOIN evaluations e ON e.id = _evaluation"
        " JOIN candidates c ON c.id = e.candidate WHERE e.purpose = 'search' AND e.fidelity < 1 AND _status = 0"
        " ORDER BY _tell, e.id"
    )
    width = 2 + len(CandidateRow._fields)
    found = []
    for row in rows:
        evaluation, fidelity, candidate = row[0], row[1], CandidateRow(*row[2:width])
        proposal = Proposal(candidate, run.genotype(candidate.genotype), fidelity)
        promoted = (candidate.id, above.get(fidelity)) in asked
        found.append(RungResult(evaluation, proposal, dict(zip(names, row[width:], strict=True)), promoted))
    return found


def _starts(run: LogReader) -> list[StartRow]:
    if not run.has_table("starts"):
        return []
    rows = run.query("SELECT * FROM starts WHERE evaluation NOT IN (SELECT _evaluation FROM results)")
    return [StartRow(*row) for row in rows]


def _in_flight(run: LogReader) -> list[tuple[EvaluationRow, Proposal]]:
    open_rows = (
        "SELECT {} FROM evaluations WHERE purpose IN ('search', 'reevaluation')"
        " AND id NOT IN (SELECT _evaluation FROM results)"
    )
    rows = [EvaluationRow(*row) for row in run.query(open_rows.format("*") + " ORDER BY id")]
    candidates = {row.id: row for row in _candidates(run, f"id IN ({open_rows.format('candidate')})")}
    genotypes = {id: run.genotype(row.genotype) for id, row in candidates.items()}
    return [(row, Proposal(candidates[row.candidate], genotypes[row.candidate], row.fidelity)) for row in rows]


def _duplicates(run: LogReader, fidelities: dict[int, float]) -> dict[int, Proposal]:
    """{candidate: proposal} of all without an evaluation, whose fidelity is that of the candidate that they repeat."""
    rows = _candidates(run, "twin IS NOT NULL AND id NOT IN (SELECT candidate FROM evaluations) ORDER BY id")
    found = {}
    for row in rows:
        assert row.twin is not None
        fidelities[row.id] = fidelities[row.twin]
        found[row.id] = Proposal(row, run.genotype(row.genotype), fidelities[row.id])
    return found


def _candidates(run: LogReader, condition: str) -> list[CandidateRow]:
    return [CandidateRow(*row) for row in run.query(f"SELECT * FROM candidates WHERE {condition}")]
