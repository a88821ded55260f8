"""The log's writer: one SQLite file, written by the driver alone, one transaction per tell."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from search_spaces import Metric

from ..archives import Insertion
from ..candidates import Results
from ..errors import QdError
from ..wording import printable
from .curves import curve_rows
from .folder import on_network
from .graphs import pack_graph
from .pending import PendingRow, pack_state
from .schema import bring_up_to_date, statements

if TYPE_CHECKING:
    import networkx

APPLICATION_ID = 0x7164_6C67  # "qdlg"; SQLite writes it into the file's header
SCHEMA_VERSION = 3
"""1: module graphs of all ok candidates. 2: of elites alone, and none where the genotype gives them. 3: learning
curves, and whose weights evaluations began with."""
LONGEST_TEXT = 20_000
"""Characters that are kept of an error, and of a genotype as people read it."""
LONGEST_NAME = 100
NOTE_IN_SESSION = "UPDATE sessions SET process = json_patch(process, ?) WHERE id = (SELECT MAX(id) FROM sessions)"
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
BUSY_SECONDS = 30
"""So long a commit waits for whoever has locked the log; readers lock it for moments on a network filesystem alone."""
CLOSING_TRIES = 20
CLOSING_PAUSE = 0.1
"""Seconds. A page reads for less, and a log that is closed between two reads is one file at once."""
INSERT_EVALUATION = "INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class CandidateRow(NamedTuple):
    """A proposal, as in the table."""

    id: int
    emitter: str
    operator: str
    parents: str
    """JSON list of candidate ids."""
    genotype: str
    """Canonical JSON."""
    key: bytes
    readable: str
    twin: int | None
    """The earlier candidate that it repeats."""

    def storable(self) -> CandidateRow:
        """The same row with text that SQLite takes and a terminal shows."""
        return self._replace(
            emitter=printable(self.emitter, LONGEST_NAME),
            operator=printable(self.operator, LONGEST_NAME),
            readable=printable(self.readable, LONGEST_TEXT),
        )


class PredictionRow(NamedTuple):
    """What a model expected, as in the table."""

    candidate: int
    metric: str
    mean: float
    deviation: float


class ModelRow(NamedTuple):
    """A fit of a model, as in the table."""

    emitter: str
    answers: int
    first: int
    value: str


class EvaluationRow(NamedTuple):
    """An evaluation that was asked, as in the table."""

    id: int
    candidate: int
    batch: int
    purpose: str
    repeat: int
    fidelity: float
    seed: int
    shared_seed: int
    session: int


class StartRow(NamedTuple):
    """Whose weights an evaluation begins with, as in the table."""

    evaluation: int
    source: int
    spent: float


class Figures(NamedTuple):
    """How the search stands, as in the table."""

    tell: int
    evaluations: int
    ok: int
    elites: int
    cells: int
    qd_score: float
    best: float | None


@dataclass
class Transaction:
    """All that one tell changes; it is in the log as a whole or not at all."""

    state: dict[str, Any]
    seconds: float
    tell: int = 0
    """Number of the tell; 0 where nothing is told, as at the start."""
    results: Results | None = None
    attempts: Sequence[int] = ()
    """(N,) one for each result."""
    insertions: Sequence[Insertion] = ()
    graphs: Mapping[int, networkx.DiGraph] = field(default_factory=dict)
    candidates: Sequence[CandidateRow] = ()
    evaluations: Sequence[EvaluationRow] = ()
    starts: Sequence[StartRow] = ()
    anew: Sequence[int] = ()
    """Evaluations that should have had a start, and had none: its file was missing."""
    predictions: Sequence[PredictionRow] = ()
    models: Sequence[ModelRow] = ()
    proposals: int = 0
    refined: Sequence[int] | None = None
    """New bins of the archive's axes, where they were cut."""
    pending: Sequence[PendingRow] = ()
    """Batches that an accepted log keeps until they are told."""
    told_batch: int | None = None
    """The one of them that is told."""
    figures: Figures | None = None


class Log:
    """The open log of a run. Raises `QdError` where the disk is full or fails; the log is whole then."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._names = tuple(names)
        columns = ", ".join(["_evaluation", "_tell", "_attempt", "_status", "_seconds", "_worker", "_error"])
        metrics = "".join(f', "{name}"' for name in self._names)
        marks = ", ".join("?" * (7 + len(self._names)))
        self._insert_result = f"INSERT INTO results ({columns}{metrics}) VALUES ({marks})"

    @classmethod
    def create(cls, path: Path, metrics: Mapping[str, tuple[Metric, str]], meta: Mapping[str, Any]) -> Log:
        """Make the file: it is there with all of this, or not at all.

        Args:
            path: must not exist.
            metrics: {name: (definition, "evaluator" or "space")}.
            meta: plain data by name.
        """
        new = path.with_name(f".{path.name}.new")
        for left in (new, new.with_name(f"{new.name}-journal")):  # by a driver that was killed here
            left.unlink(missing_ok=True)
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.execute("BEGIN")
            for statement in statements(metrics):
                connection.execute(statement)
            connection.executemany(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        name,
                        printable(one.unit, LONGEST_NAME),
                        _finite(one.low),
                        _finite(one.high),
                        one.direction,
                        int(one.time),
                        source,
                    )
                    for name, (one, source) in metrics.items()
                ],
            )
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in meta.items()])
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _explained(error, path) from error
        finally:
            connection.close()
        new.replace(path)
        return cls.reopen(path, list(metrics))

    @classmethod
    def reopen(cls, path: Path, names: Sequence[str]) -> Log:
        """A log that a reader has accepted: untouched until the first write, which makes it one of this version."""
        return cls(path, names)

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        connection = _connect(self.path)
        try:
            bring_up_to_date(connection, SCHEMA_VERSION)
        except sqlite3.Error as error:
            connection.close()
            raise _explained(error, self.path) from error
        self._file = _identity(self.path)
        return connection

    def start_session(self, number: int, started: str, process: Mapping[str, Any]) -> None:
        """Note who writes from now on, and that it has not ended yet."""
        self._write(
            [
                ("INSERT INTO sessions VALUES (?, ?, ?)", [(number, started, json.dumps(process))]),
                ("INSERT OR REPLACE INTO meta VALUES ('ending', 'null')", [()]),
            ]
        )

    def note_in_session(self, facts: Mapping[str, Any]) -> None:
        """Add to what the session notes of its process; None takes a fact away."""
        self._write([(NOTE_IN_SESSION, [(json.dumps(facts),)])])

    def end_session(self, ending: str, failure: str | None = None) -> None:
        """Note how it ended; without this, its process died."""
        self._write(
            [
                ("INSERT OR REPLACE INTO meta VALUES ('ending', ?)", [(json.dumps(ending),)]),
                (NOTE_IN_SESSION, [(json.dumps({"failure": failure}),)]),
            ]
        )

    def set_meta(self, name: str, value: Any) -> None:
        """Replace one of the things that a resume may change."""
        self._write([("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, json.dumps(value))])])

    def commit(self, change: Transaction) -> None:
        """Write one tell.

        Raises:
            QdError: it could not be written; nothing of it is in the log.
        """
        writes: list[tuple[str, Iterable[Sequence[Any]]]] = []
        if change.results is not None:
            writes.append((self._insert_result, self._result_rows(change)))
            writes.append(("INSERT OR IGNORE INTO insertions VALUES (?, ?, ?)", change.insertions))
            if change.results.curves:
                writes.append(("INSERT INTO curves VALUES (?, ?)", curve_rows(change.results)))
            if change.graphs:
                rows = [(candidate, pack_graph(graph)) for candidate, graph in change.graphs.items()]
                writes.append(("INSERT OR IGNORE INTO graphs VALUES (?, ?)", rows))
            writes.append(("INSERT INTO tells VALUES (?, ?, ?)", [(change.tell, change.seconds, change.proposals)]))
        if change.refined:
            writes.append(("INSERT INTO refinements VALUES (?, ?)", [(change.tell, json.dumps(change.refined))]))
        if change.told_batch is not None:
            writes.append(("DELETE FROM pending WHERE batch = ?", [(change.told_batch,)]))
        if change.pending:
            writes.append(("INSERT INTO pending VALUES (?, ?, ?)", change.pending))
        if change.figures:
            writes.append(("INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?)", [change.figures]))
        writes.append(
            ("INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [row.storable() for row in change.candidates])
        )
        writes.append((INSERT_EVALUATION, change.evaluations))
        if change.starts:
            writes.append(("INSERT INTO starts VALUES (?, ?, ?)", change.starts))
        if change.anew:
            writes.append(("DELETE FROM starts WHERE evaluation = ?", [(id,) for id in change.anew]))
        if change.predictions:
            writes.append(("INSERT INTO predictions VALUES (?, ?, ?, ?)", change.predictions))
        if change.models:
            writes.append(("INSERT OR IGNORE INTO models VALUES (?, ?, ?, ?)", change.models))
        writes.append(("INSERT OR REPLACE INTO state VALUES (0, ?, ?)", [pack_state(change.state)]))
        self._write(writes)

    def ask_verification(self, evaluations: Sequence[EvaluationRow]) -> None:
        """Write what a verification is about to evaluate; the search's state stays as it is."""
        self._write([(INSERT_EVALUATION, evaluations)])

    def tell_verification(self, results: Results, tell: int) -> None:
        """Write what came of it.

        Args:
            results: of evaluations that were asked.
            tell: the search's last one, after which it happened.
        """
        attempts = [results.attempts.get(id, 1) for id in results.evaluation_ids.tolist()]
        change = Transaction({}, 0.0, tell, results, attempts)
        self._write([(self._insert_result, self._result_rows(change))])

    def close(self) -> None:
        """Leave one portable file, without a write-ahead log beside it; where readers prevent that, it stays."""
        if "_connection" not in vars(self):
            return  # nothing was written
        for _ in range(CLOSING_TRIES):
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
                break
            except sqlite3.OperationalError:  # somebody reads, which SQLite does not wait for here
                time.sleep(CLOSING_PAUSE)
        self._connection.close()

    def _write(self, writes: Iterable[tuple[str, Iterable[Sequence[Any]]]]) -> None:
        connection = self._connection
        if self._file and _identity(self.path) != self._file:
            raise QdError(
                f"{self.path}: the log was moved, removed or replaced while the search was writing to it, so it ends"
                " here. If it was moved, all completed evaluations are there: go on with qd resume and its new folder"
            )
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement, rows in writes:
                connection.executemany(statement, rows)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if _code(error) in LOCKED:
                connection.execute("PRAGMA busy_timeout = 0")  # waited for once, and not again for every last word
            raise _explained(error, self.path) from error

    def _result_rows(self, change: Transaction) -> list[tuple[Any, ...]]:
        results = change.results
        assert results is not None
        size = len(results)
        empty = np.full(size, np.nan)
        columns = [results.metrics.get(name, empty).tolist() for name in self._names]
        fixed = zip(
            results.evaluation_ids.tolist(),
            change.attempts,
            results.status.tolist(),
            results.seconds.tolist(),
            strict=True,
        )
        names = {name: printable(name, LONGEST_NAME) for name in set(results.workers.values())}
        workers = {id: names[name] for id, name in results.workers.items()}
        errors = {id: printable(text, LONGEST_TEXT) for id, text in results.errors.items()}
        # SQLite stores NaN as NULL
        return [
            (id, change.tell, attempt, status, seconds, workers.get(id, ""), errors.get(id), *values)
            for (id, attempt, status, seconds), values in zip(
                fixed, zip(*columns, strict=True) if columns else [()] * size, strict=True
            )
        ]


def _connect(path: Path) -> sqlite3.Connection:
    network = on_network(path.parent)
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if network else 'WAL'}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}")
    except sqlite3.Error as error:
        connection.close()
        raise _explained(error, path) from error
    return connection


def _explained(error: sqlite3.Error, path: Path) -> QdError:
    code = _code(error)
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_TOOBIG):
        return QdError(
            f"{path}: the disk is full or fails ({error}). All evaluations completed before are safe;"
            f" make room, then: qd resume {path.parent}"
        )
    if code in LOCKED:
        return QdError(
            f"{path}: another program keeps the log for itself, or a plug-in does, for {BUSY_SECONDS} s now ({error})."
            f" All evaluations completed before are safe; close it, then: qd resume {path.parent}"
        )
    return QdError(f"{path}: cannot write ({error})")


def _code(error: sqlite3.Error) -> int:
    """SQLite's, without what it says more of a failing disk; 0 of an error of Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file from another one of its name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def parents_json(parents: Sequence[int]) -> str:
    """(3, 7) → "[3,7]"."""
    return f"[{','.join(map(str, parents))}]"
