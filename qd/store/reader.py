"""A log, read and decoded: read-only, without any plug-in, also while its search goes on."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from search_spaces import Genotype, Metric, Task

from ..candidates import Curve, Status
from ..config import RunFile, from_log
from ..errors import QdError, UsageError, shown, suggest
from ..plain_data import parse_json
from ..plain_data.bounds import DEEPEST
from ..wording import printable
from .curves import unpack_curve
from .documents import ANYTHING, BINS, META, PARENTS, STATES, checked
from .folder import RunFolder
from .graphs import unpack_graph
from .opening import damaged, open_log, unreadable
from .pending import counts_of, unpack_state
from .schema import promises

if TYPE_CHECKING:
    import networkx
    import pandas  # loaded where a frame is made: most looking needs none

STEPS_BETWEEN_CHECKS = 1_000_000
FEWEST_CHECKS = 100
BYTES_PER_CHECK = 10_000
"""A query that takes a million steps of SQLite's machine for every so many bytes of the file is ended: no query over a
whole log takes a hundredth of that."""
LONGEST_MESSAGE = 600
"""Characters of what is wrong with a log."""
EVALUATION_COLUMNS = (
    "id evaluation purpose repeat fidelity seed tell attempt status seconds worker error emitter operator".split()
)
"""Columns of `evaluations` before those of metrics."""
ARCHIVED = "e.purpose IN ('search', 'reevaluation') AND e.fidelity = 1 AND _status = 0"
"""The rows that an archive is folded from."""


class LogReader:
    """The log of one run, in plain values.

    Args:
        path: the run's folder.

    Raises:
        UsageError: it is no run folder, or its log is damaged, foreign or of a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self.folder = RunFolder(path)
        with self.folder.as_given():
            self._connection: sqlite3.Connection | None = open_log(self.folder.log)
        self._checks = FEWEST_CHECKS + self.folder.log.stat().st_size // BYTES_PER_CHECK
        try:
            with self.folder.as_given():
                self._check()
                self.config: RunFile = from_log(self.meta("run_file"), str(self.folder.log))
                """What defined the run, defaults filled in."""
        except UsageError as error:
            self.close()
            raise UsageError(printable(str(error), LONGEST_MESSAGE)) from error  # every key of it may be wrong

    def _check(self) -> None:
        """Raise `UsageError` where the file is not whole, or holds what no search writes."""
        whole = self.query("PRAGMA quick_check(1)")[0][0]  # pages, types, and what may not be missing
        if whole != "ok":
            raise damaged(self.folder.log, whole)
        tables = {name for (name,) in self.query("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for table, statement in promises(self.metrics).items():
            if table in tables and self.query(f"{statement} LIMIT 1"):
                raise damaged(self.folder.log, f"a row of {table!r} is not as a search writes it")

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a read-only SQL statement over the log; its tables are described in qd/store/schema.sql."""
        with self.folder.as_given():
            try:
                # numbers out of a frame are numpy's, which SQLite would take for blobs
                plain = [value.item() if isinstance(value, np.generic) else value for value in values]
                if self._connection is None:
                    self._connection = open_log(self.folder.log)
                checks = iter(range(self._checks))
                self._connection.set_progress_handler(lambda: next(checks, None) is None, STEPS_BETWEEN_CHECKS)
                return self._connection.execute(statement, plain).fetchall()
            except sqlite3.ProgrammingError:  # the statement's author is wrong, and not the log
                raise
            except OverflowError:
                raise UsageError(f"{self.folder.path}: expected numbers below 2**63, got {shown(values)}") from None
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of a message with damaged text in it
                raise unreadable(self.folder.log, error) from error

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See the log as it is at the first query, whatever a search writes meanwhile."""
        self.query("BEGIN")
        try:
            yield
        finally:
            self.query("ROLLBACK")

    @contextlib.contextmanager
    def decoding(self) -> Iterator[None]:
        """What cannot be decoded within raises `UsageError`: the log is damaged."""
        # SQLite has no checksums: bytes that flipped within a value show when the value is decoded
        with self.folder.as_given():
            try:
                yield
            except (QdError, OSError):
                raise
            except Exception as error:  # whatever JSON, zlib, numpy, networkx and safetensors make of nonsense
                raise damaged(self.folder.log, f"{type(error).__name__}: {error}") from error

    def genotype(self, text: str) -> Genotype:
        """Decode a genotype; what it may be, the space's genes alone can say.

        Raises:
            UsageError: it is no JSON, so the log is damaged.
        """
        with self.decoding():
            # of few brackets nothing can be deep, and most genotypes are of few: bounds take five times as long
            return json.loads(text) if text.count("[") + text.count("{") < DEEPEST else parse_json(text, infinite=True)

    def document(self, text: str, kind: TypeAdapter[Any]) -> Any:
        """Decode what `documents` describes.

        Raises:
            UsageError: it is something else, so the log is damaged.
        """
        with self.decoding():
            return checked(parse_json(text, infinite=True), kind)

    def parents(self, text: str) -> tuple[int, ...]:
        """Decode the parents of a candidate.

        Raises:
            UsageError: they are no ids, so the log is damaged.
        """
        with self.decoding():
            return tuple(PARENTS.validate_json(text, strict=True))

    def status(self, value: int) -> Status:
        """Decode a status of the log.

        Raises:
            UsageError: it is none, so the log is damaged.
        """
        with self.decoding():
            return Status(value)

    def meta(self, name: str) -> Any:
        """One of the things fixed when the run was made; None where the log does not have it."""
        rows = self.query("SELECT value FROM meta WHERE name = ?", [name])
        return self.document(rows[0][0], META.get(name, ANYTHING)) if rows else None

    @cached_property
    def task(self) -> Task | None:
        """What its networks take in and give out; None where none was built."""
        data = self.meta("task")
        return Task.from_plain(data) if data else None

    def close(self) -> None:
        """Close the log; the next query opens it again.

        While a reader has it open, a search that ends cannot make one portable file of it.
        """
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """{name: definition}, the evaluator's first."""
        rows = self.query("SELECT name, unit, low, high, direction, time FROM metrics ORDER BY rowid")
        with self.decoding():
            return {
                name: Metric(
                    unit, -math.inf if low is None else low, math.inf if high is None else high, direction, bool(time)
                )
                for name, unit, low, high, direction, time in rows
            }

    def has_table(self, name: str) -> bool:
        """Whether the log has a table that earlier versions did not make."""
        return bool(self.query("SELECT 1 FROM sqlite_schema WHERE name = ?", [name]))

    def require_metric(self, name: str) -> None:
        """Raise `UsageError` where a metric was not logged; the message names the nearest."""
        if name not in self.metrics:
            raise UsageError(f"{self.folder.path}: no metric {name!r} was logged{suggest(name, sorted(self.metrics))}")

    @property
    def count(self) -> int:
        """Finished evaluations of every purpose; those of the search alone in an accepted log."""
        return sum(self.counts.values()) if self.accepted_only else self.query("SELECT COUNT(*) FROM results")[0][0]

    @property
    def accepted_only(self) -> bool:
        """Whether the log keeps what entered the archive, and of the rest only counts."""
        return self.config.log.keep == "accepted"

    @property
    def reevaluates(self) -> bool:
        """Whether elites were evaluated again when challenged, so that their means decide."""
        return self.config.search.noise == "reevaluate"

    @property
    def inherits(self) -> bool:
        """Whether candidates may begin with the weights of a parent."""
        return self.config.search.inherit > 0

    @property
    def reevaluations(self) -> int:
        """How many of the finished evaluations were of candidates that had been evaluated before."""
        return self.query(
            "SELECT COUNT(*) FROM results JOIN evaluations e ON e.id = _evaluation WHERE e.purpose = 'reevaluation'"
        )[0][0]

    def state(self) -> dict[str, Any] | None:
        """What the search logged of itself at its last tell; None where it was killed before its first proposal."""
        rows = self.query("SELECT value, arrays FROM state")
        with self.decoding():
            return unpack_state(rows[0][0], rows[0][1], STATES[self.config.log.keep]) if rows else None

    @property
    def counts(self) -> dict[Status, int]:
        """Finished search evaluations."""
        if self.accepted_only:
            state = self.state()
            with self.decoding():
                return counts_of(state)
        rows = self.query(
            "SELECT _status, COUNT(*) FROM results JOIN evaluations e ON e.id = _evaluation"
            " WHERE e.purpose IN ('search', 'reevaluation') GROUP BY _status"
        )
        return {self.status(status): count for status, count in rows}

    @property
    def seconds(self) -> float:
        """Search time so far, resumes added up."""
        return self.query("SELECT MAX(seconds) FROM tells")[0][0] or 0.0

    @property
    def last_tell(self) -> int:
        """The number of the latest tell; 0 before the first."""
        return self.query("SELECT COALESCE(MAX(id), 0) FROM tells")[0][0]

    def evaluations(self) -> pandas.DataFrame:
        """Every finished evaluation, in the order in which they were reported: a frame with one column per metric."""
        import pandas

        rows = self.query(
            "SELECT e.candidate, e.id, e.purpose, e.repeat, e.fidelity, e.seed, _tell, _attempt, _status, _seconds,"
            f" _worker, _error, c.emitter, c.operator{columns(self.metrics)} FROM results"
            " JOIN evaluations e ON e.id = _evaluation JOIN candidates c ON c.id = e.candidate ORDER BY _tell, e.id"
        )
        frame = pandas.DataFrame(rows, columns=[*EVALUATION_COLUMNS, *self.metrics])
        frame["status"] = [self.status(value).label for value in frame["status"]]
        with self.decoding():
            return frame.astype(dict.fromkeys(self.metrics, "float64"))

    def logged(self, evaluations: Sequence[int]) -> dict[int, dict[str, Any]]:
        """{evaluation: what was logged of it and its candidate, and each metric by its name}."""
        rows = self.query(
            "SELECT _evaluation, c.emitter, c.operator, c.parents, c.readable, c.genotype"
            f"{columns(self.metrics)} FROM results"
            " JOIN evaluations e ON e.id = _evaluation JOIN candidates c ON c.id = e.candidate"
            " WHERE _evaluation IN (SELECT value FROM json_each(?))",
            [json.dumps([int(id) for id in evaluations])],
        )
        return {
            evaluation: {
                "emitter": emitter,
                "operator": operator,
                "parents": list(self.parents(parents)),
                "readable": readable,
                "genotype": self.genotype(genotype),
                **dict(zip(self.metrics, values, strict=True)),
            }
            for evaluation, emitter, operator, parents, readable, genotype, *values in rows
        }

    def readable(self, candidate: int) -> str:
        """The one-line form of a candidate's genotype.

        Raises:
            UsageError: there is no such candidate.
        """
        rows = self.query("SELECT readable FROM candidates WHERE id = ?", [candidate])
        if not rows:
            raise UsageError(
                f"{self.folder.path}: there is no candidate {candidate}; qd elites lists those of the archive"
            )
        return rows[0][0]

    def metrics_of(self, evaluation: int) -> dict[str, float]:
        """{metric: value} of an ok evaluation."""
        rows = self.query(f"SELECT _evaluation{columns(self.metrics)} FROM results WHERE _evaluation = ?", [evaluation])
        return dict(zip(self.metrics, rows[0][1:], strict=True))

    def means_of(self, candidates: Sequence[int]) -> dict[int, dict[str, Any]]:
        """{candidate: its metrics as means over its evaluations, and how many these are (`samples`)}."""
        means = "".join(f', AVG(results."{name}")' for name in self.metrics)
        rows = self.query(
            f"SELECT e.candidate, COUNT(*){means} FROM results JOIN evaluations e ON e.id = _evaluation"
            f" WHERE {ARCHIVED} AND e.candidate IN (SELECT value FROM json_each(?)) GROUP BY e.candidate",
            [json.dumps([int(id) for id in candidates])],
        )
        names = ["samples", *self.metrics]
        return {candidate: dict(zip(names, values, strict=True)) for candidate, *values in rows}

    def range_of(self, metric: str) -> tuple[float, float] | None:
        """The least and the greatest value in archived evaluations; None where there is none."""
        rows = self.query(
            f'SELECT MIN(results."{metric}"), MAX(results."{metric}") FROM results'
            f" JOIN evaluations e ON e.id = _evaluation WHERE {ARCHIVED}"
        )
        return None if rows[0][0] is None else rows[0]

    def archived(self, metrics: Sequence[str], after: int, up_to: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What an archive is folded from, of the tells in (after, up_to], in their order.

        Returns:
            (N,) evaluations and (N,) candidates, int64, and the (N, M) metrics, float64.
        """
        rows = self.query(
            f"SELECT e.id, e.candidate{columns(metrics)} FROM results JOIN evaluations e ON e.id = _evaluation"
            f" WHERE {ARCHIVED} AND _tell > ? AND _tell <= ? ORDER BY _tell, e.id",
            [after, up_to],
        )
        with self.decoding():
            ids = np.array([row[:2] for row in rows], dtype=np.int64).reshape(len(rows), 2)
            table = np.array([row[2:] for row in rows], dtype=np.float64).reshape(len(rows), len(metrics))
        return ids[:, 0], ids[:, 1], table

    def refinements(self, after: int = 0, up_to: int | None = None) -> list[tuple[int, list[int]]]:
        """(tell, bins of each axis) of the refinements in (after, up_to], in their order."""
        statement = "SELECT tell, bins FROM refinements WHERE tell > ? AND tell <= ? ORDER BY tell"
        up_to = self.last_tell if up_to is None else up_to
        rows, measures = self.query(statement, [after, up_to]), len(self.config.archive.measures)
        with self.decoding():
            found = [(tell, BINS.validate_json(bins, strict=True)) for tell, bins in rows]
            if any(len(bins) != measures for _, bins in found):
                raise ValueError(f"expected bins of {measures} measures in `refinements`")
        return found

    def genotypes(self, candidates: Sequence[int]) -> dict[int, Any]:
        """{candidate: genotype}; all must be in the log."""
        rows = self.query(
            "SELECT id, genotype FROM candidates WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps([int(id) for id in candidates])],
        )
        found = {id: self.genotype(text) for id, text in rows}
        with self.folder.as_given():
            for candidate in candidates:
                if candidate not in found:
                    raise damaged(self.folder.log, f"candidate {candidate} is missing")
        return found

    @property
    def has_curves(self) -> bool:
        """Whether there are learning curves in the log."""
        if not self.query("SELECT 1 FROM sqlite_schema WHERE name = 'curves'"):
            return False  # written before there were any
        return bool(self.query("SELECT 1 FROM curves LIMIT 1"))

    def curves(self, evaluations: Sequence[int] | None = None) -> dict[int, Curve]:
        """{evaluation: its learning curve} of those that kept one; of all where none are named."""
        if not self.has_curves:
            return {}
        if evaluations is None:
            rows = self.query("SELECT evaluation, value FROM curves ORDER BY evaluation")
        else:
            named = json.dumps([int(id) for id in evaluations])
            rows = self.query(
                "SELECT evaluation, value FROM curves WHERE evaluation IN (SELECT value FROM json_each(?))"
                " ORDER BY evaluation",
                [named],
            )
        with self.decoding():
            found = {evaluation: unpack_curve(text) for evaluation, text in rows}
            for curve in found.values():
                if not curve.scores.keys() <= self.metrics.keys():
                    raise ValueError("a learning curve has scores that are no metrics of the run")
        return found

    def graph(self, candidate: int) -> networkx.DiGraph | None:
        """The module graph that was logged of a candidate."""
        rows = self.query("SELECT graph FROM graphs WHERE candidate = ?", [candidate])
        with self.decoding():
            return unpack_graph(rows[0][0]) if rows else None


def columns(metrics: Iterable[str]) -> str:
    """Metrics of `results` in SQL, behind other columns; a metric may have the name of any column of any table."""
    return "".join(f', results."{name}"' for name in metrics)
