"""A run as everyone but its driver sees it: read-only, and without importing any plug-in."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import networkx
import numpy as np
import pandas

from search_spaces import Metric

from ..archives import Archive, Axis, GridArchive, Objective, RecordedArchive, make_archive, make_axis, make_objective
from ..candidates import Status
from ..config import RunFile, from_log
from ..errors import UsageError, suggest
from ..notebook import Network, ReadableGenotype, run_html
from ..registry import Registry, is_at_hand, is_own
from .folder import RunFolder
from .log import APPLICATION_ID, SCHEMA_VERSION, unpack_graph
from .pending import counts_of, unpack_state
from .where import matching

AnyArchive = TypeVar("AnyArchive", bound=Archive)
FOLDED_AT_ONCE = 2000
"""Rows: what a filled archive need not look at closely is sorted out between calls."""
ARCHIVED = "purpose IN ('search', 'reevaluation') AND fidelity = 1 AND _status = 0"
"""The rows that an archive is folded from."""


def open_run(path: Path | str, project_accepted: bool = False, plugins: Path | str | None = None) -> Run:
    """Open a run folder for looking, also while its search goes on.

    Args:
        path: the folder.
        project_accepted: let an accepted log be projected onto other measures, from what it has kept; otherwise that is
            refused, as what it has not kept would be missing.
        plugins: the folder of the archive's kind, where that is a plug-in; without it, the archive is what the log
            tells of it.

    Raises:
        UsageError: it is no run folder, or its log is damaged, foreign or of a newer version.
    """
    return Run(path, project_accepted, plugins)


class Run:
    """One run: configuration, metrics, archive, elites and evaluations, all read from the log."""

    def __init__(self, path: Path | str, project_accepted: bool = False, plugins: Path | str | None = None) -> None:
        self.project_accepted = project_accepted
        self.plugins = Path(plugins) if plugins else None
        self.folder = RunFolder(path)
        self._connection: sqlite3.Connection | None = _open(self.folder.log)
        self.config: RunFile = from_log(self.meta("run_file"), str(self.folder.log))
        """What defined the run, defaults filled in."""

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r}: {self.count} evaluations, {self.archive!r})"

    def _repr_html_(self) -> str:
        return run_html(self)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a read-only SQL statement over the log; its tables are described in qd/store/schema.sql."""
        try:
            # numbers out of a frame are numpy's, which SQLite would take for blobs
            plain = [value.item() if isinstance(value, np.generic) else value for value in values]
            if self._connection is None:
                self._connection = _open(self.folder.log)
            return self._connection.execute(statement, plain).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of a message with damaged text in it
            raise _damaged(self.folder.log, error) from error

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See the log as it is at the first query, whatever a search writes meanwhile."""
        self.query("BEGIN")
        try:
            yield
        finally:
            self.query("ROLLBACK")

    def parse(self, text: str) -> Any:
        """Decode JSON of the log.

        Raises:
            UsageError: it is none, so the log is damaged.
        """
        with self._decoding():
            return json.loads(text)

    def status(self, value: int) -> Status:
        """Decode a status of the log.

        Raises:
            UsageError: it is none, so the log is damaged.
        """
        with self._decoding():
            return Status(value)

    def meta(self, name: str) -> Any:
        """One of the things fixed when the run was made; None where the log does not have it."""
        rows = self.query("SELECT value FROM meta WHERE name = ?", [name])
        return self.parse(rows[0][0]) if rows else None

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
        with self._decoding():
            return {
                name: Metric(
                    unit, -math.inf if low is None else low, math.inf if high is None else high, direction, bool(time)
                )
                for name, unit, low, high, direction, time in rows
            }

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
    def reevaluations(self) -> int:
        """How many of the finished evaluations were of candidates that had been evaluated before."""
        return self.query(
            "SELECT COUNT(*) FROM results JOIN evaluations ON id = _evaluation WHERE purpose = 'reevaluation'"
        )[0][0]

    def state(self) -> dict[str, Any] | None:
        """What the search logged of itself at its last tell; None where it was killed before its first proposal."""
        rows = self.query("SELECT value, arrays FROM state")
        with self._decoding():
            return unpack_state(*rows[0]) if rows else None

    @property
    def counts(self) -> dict[Status, int]:
        """Finished search evaluations."""
        if self.accepted_only:
            return counts_of(self.state())
        rows = self.query(
            "SELECT _status, COUNT(*) FROM results JOIN evaluations ON id = _evaluation"
            " WHERE purpose IN ('search', 'reevaluation') GROUP BY _status"
        )
        return {self.status(status): count for status, count in rows}

    @cached_property
    def archive(self) -> Archive:
        """The archive of the search itself, folded from the log as it was when first asked for."""
        return self.fold(self.empty_archive())

    def empty_archive(self) -> Archive:
        """The archive as it was before the first tell."""
        if is_at_hand("archives", self.config.archive.kind, self.plugins):
            return make_archive(self.config.archive, self.metrics, Registry(self.plugins), self.recorded)
        return self._recorded_archive()

    @property
    def recorded(self) -> dict[str, Any]:
        """What the log has of the empty archive: `Archive.recorded`."""
        known = self.meta("archive")
        if known is not None:
            return known["recorded"]
        centroids = self.meta("centroids")  # as earlier versions wrote those of a cvt
        return {"centroids": centroids} if centroids is not None else {}

    def _cells_entered(self, evaluations: Sequence[int] | np.ndarray) -> dict[int, int]:
        statement = "SELECT evaluation, cell FROM insertions WHERE evaluation IN (SELECT value FROM json_each(?))"
        return dict(self.query(statement, [json.dumps([int(id) for id in evaluations])]))

    def _recorded_archive(self) -> RecordedArchive:
        config, known = self.config.archive, self.meta("archive")
        archive = RecordedArchive(
            make_objective(config.objective, self.metrics, "archive.objective"),
            [make_axis(axis, self.metrics, "archive.measures") for axis in config.measures],
            config.outside,
            self._cells_entered,
            known["cells"] if known["fixed"] else None,
            config.kind,
        )
        if self.query("SELECT COUNT(*) FROM refinements")[0][0]:
            raise UsageError(f"{self.folder.path}: its archive was refined on the way, and {archive.unknown}")
        return archive

    @property
    def seconds(self) -> float:
        """Search time so far, resumes added up."""
        return self.query("SELECT MAX(seconds) FROM tells")[0][0] or 0.0

    def fold(self, archive: AnyArchive, genotypes: bool = True) -> AnyArchive:
        """Add every archived result to an empty archive, in the order in which they were reported; returns it."""
        self.replay(archive)
        if genotypes:
            archive.set_genotypes(self.genotypes(archive.elites.candidates.tolist()))
        if self.accepted_only:
            archive.outside = (self.state() or {"outside": 0})["outside"]
        return archive

    def replay(self, archive: Archive, after: int = 0, up_to: int | None = None) -> None:
        """Add the archived results of the tells in (after, up_to] to an archive that holds those before.

        Its elites have no genotypes; `fold` gives them.
        """
        if self.reevaluates and archive.averages is None:
            archive.average()
        up_to = self.last_tell if up_to is None else up_to
        if archive.refines:
            statement = "SELECT tell, bins FROM refinements WHERE tell > ? AND tell <= ? ORDER BY tell"
            for tell, bins in self.query(statement, [after, up_to]):
                self._replay(archive, after, tell)
                archive.refine(self.parse(bins))
                after = tell
        self._replay(archive, after, up_to)

    def _replay(self, archive: Archive, after: int, up_to: int) -> None:
        needed = list(dict.fromkeys([archive.objective.metric, *(axis.metric for axis in archive.axes)]))
        rows = self.query(
            f"SELECT e.id, e.candidate, {_quoted(needed)} FROM results JOIN evaluations e ON e.id = _evaluation"
            f" WHERE {ARCHIVED} AND _tell > ? AND _tell <= ? ORDER BY _tell, e.id",
            [after, up_to],
        )
        if rows:
            with self._decoding():
                table = np.array(rows, dtype=np.float64)
            ids, candidates = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
            metrics = {name: table[:, 2 + index] for index, name in enumerate(needed)}
            for start in range(0, len(rows), FOLDED_AT_ONCE):
                part = slice(start, start + FOLDED_AT_ONCE)
                columns = {name: column[part] for name, column in metrics.items()}
                archive.add(ids[part], candidates[part], columns, [None] * len(ids[part]))

    @property
    def last_tell(self) -> int:
        """The number of the latest tell; 0 before the first."""
        return self.query("SELECT COALESCE(MAX(id), 0) FROM tells")[0][0]

    def require_metric(self, name: str) -> None:
        """Raise `UsageError` where a metric was not logged; the message names the nearest."""
        if name not in self.metrics:
            raise UsageError(f"{self.folder.path}: no metric {name!r} was logged{suggest(name, sorted(self.metrics))}")

    def project(self, measures: Sequence[str] = (), objective: str | None = None, bins: int = 20) -> Archive:
        """The archive over other logged metrics, from the log alone: `projection`, folded."""
        return self.fold(self.projection(measures, objective, bins))

    def projection(self, measures: Sequence[str] = (), objective: str | None = None, bins: int = 20) -> Archive:
        """The empty archive over other logged metrics; nothing is evaluated again to fill it.

        Args:
            measures: metric names, for a grid; the run's own axes keep their ranges, others span what was seen.
                Default: the run's own archive, of whatever kind.
            objective: metric name; default: the run's.
            bins: cells along an axis that is not the run's own.

        Raises:
            UsageError: a name is no metric of this run.
        """
        own = {axis.metric: axis for axis in self.archive.axes}
        if self.accepted_only and not self.project_accepted and (set(measures) - set(own) or objective):
            raise UsageError(
                f"{self.folder.path}: the log keeps what entered the archive, and not what would have entered another;"
                " draw it from that alone with --accepted-only, or search again with `log: all`"
            )
        names = list(measures) or list(own)
        for name in [*names, *([objective] if objective else [])]:
            self.require_metric(name)
        if len(set(names)) < len(names):
            raise UsageError(f"expected different measures, got {', '.join(names)}")
        goal = self.archive.objective
        if objective and objective != goal.metric:
            metric = self.metrics[objective]
            low, high = self._seen(objective)
            goal = Objective(objective, metric.direction, low, high, metric.unit)
        if not measures:
            archive = self.archive.emptied()
            archive.objective = goal
            return archive
        if not self.archive.binned:  # its axes have ranges, but no bins
            own = {name: dataclasses.replace(axis, bins=bins) for name, axis in own.items()}
        axes = [own.get(name) or self._axis(name, bins) for name in names]
        return GridArchive(goal, axes, self.config.archive.outside)

    def evaluations(self) -> pandas.DataFrame:
        """Every finished evaluation, in the order in which they were reported: a frame with one column per metric."""
        columns = (
            "candidate, e.id, purpose, repeat, fidelity, seed, _tell, _attempt, _status, _seconds, _worker, _error"
        )
        named = ["id", "evaluation", "purpose", "repeat", "fidelity", "seed", "tell", "attempt", "status", "seconds",
                 "worker", "error"]  # fmt: skip
        rows = self.query(
            f"SELECT {columns}, c.emitter, c.operator, {_quoted(self.metrics)} FROM results"
            " JOIN evaluations e ON e.id = _evaluation JOIN candidates c ON c.id = candidate ORDER BY _tell, e.id"
        )
        frame = pandas.DataFrame(rows, columns=[*named, "emitter", "operator", *self.metrics])
        frame["status"] = [self.status(value).label for value in frame["status"]]
        with self._decoding():
            return frame.astype(dict.fromkeys(self.metrics, "float64"))

    def elites(
        self,
        where: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
        archive: Archive | None = None,
    ) -> pandas.DataFrame:
        """The elites, the best first: id, evaluation, cell, objective, one column per metric, and where they came from.

        Args:
            where: an SQL condition over metrics, `id`, `operator` and `emitter`.
            sort: a metric, best first by its direction; default: the objective.
            limit: this many at the most.
            archive: one of `project`; default: the run's own.

        Raises:
            UsageError: `where` is refused, or `sort` is no metric of this run.
        """
        archive = archive or self.archive
        sort = sort or archive.objective.metric
        if sort not in self.metrics:
            raise UsageError(f"--sort: no metric {sort!r} was logged{suggest(sort, sorted(self.metrics))}")
        table = [
            (elite.candidate, elite.evaluation, archive.position(cell), elite.objective)
            for cell, elite in archive.elites.items()
        ]
        frame = pandas.DataFrame(table, columns=["id", "evaluation", "cell", "objective"])
        logged = self._rows_of(frame["evaluation"].tolist())
        frame = frame.merge(logged, on="evaluation", how="left")
        if self.reevaluates:
            frame = self._with_means(frame, archive.objective.metric)
        if where is not None:
            frame = matching(frame, ["id", "operator", "emitter", *self.metrics], where)
        ascending = self.metrics[sort].direction == "minimise"
        frame = frame.sort_values([sort, "id"], ascending=[ascending, True]).reset_index(drop=True)
        return frame if limit is None else frame.head(limit)

    def records(self, elites: pandas.DataFrame) -> list[dict[str, Any]]:
        """Rows of `elites` as plain data, as `qd elites --json` prints them."""
        return [
            {
                "id": row["id"],
                "evaluation": row["evaluation"],
                "cell": list(row["cell"]),
                "objective": row["objective"],
                "metrics": {name: row[name] for name in self.metrics},
                "genotype": row["genotype"],
                "parents": row["parents"],
                "operator": row["operator"],
                **({"samples": row["samples"]} if self.reevaluates else {}),
            }
            for row in elites.to_dict("records")
        ]

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

    def evaluation_of(self, candidate: int) -> int:
        """The evaluation that an elite is an elite by; of another candidate, its last ok one in the search.

        Raises:
            UsageError: there is no such candidate, or it has none.
        """
        slots = np.flatnonzero(self.archive.elites.candidates == candidate)
        if slots.size:
            return int(self.archive.elites.evaluations[slots[0]])
        rows = self.query(
            f"SELECT e.id FROM evaluations e JOIN results ON _evaluation = e.id WHERE {ARCHIVED} AND e.candidate = ?"
            " ORDER BY e.id DESC LIMIT 1",
            [candidate],
        )
        if not rows:
            self.readable(candidate)  # raises where there is no such candidate
            raise UsageError(f"{self.folder.path}: candidate {candidate} has no ok evaluation, so it has no metrics")
        return rows[0][0]

    def metrics_of(self, evaluation: int) -> dict[str, float]:
        """{metric: value} of an ok evaluation."""
        rows = self.query(f"SELECT {_quoted(self.metrics)} FROM results WHERE _evaluation = ?", [evaluation])
        return dict(zip(self.metrics, rows[0], strict=True))

    def genotypes(self, candidates: Sequence[int]) -> dict[int, Any]:
        """{candidate: genotype}; all must be in the log."""
        rows = self.query(
            "SELECT id, genotype FROM candidates WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps([int(id) for id in candidates])],
        )
        found = {id: self.parse(text) for id, text in rows}
        for candidate in candidates:
            if candidate not in found:
                raise _damaged(self.folder.log, f"candidate {candidate} is missing")
        return found

    def network(self, candidate: int) -> Network:
        """A candidate with its metrics and genotype, as a notebook shows it.

        Raises:
            UsageError: there is no such candidate, or it has no metrics.
        """
        evaluation = self.evaluation_of(candidate)
        genotype = ReadableGenotype(self.genotypes([candidate])[candidate], self.readable(candidate))
        return Network(self, candidate, evaluation, self.metrics_of(evaluation), genotype)

    def history(self) -> pandas.DataFrame:
        """How the search went: counts, coverage, QD score and best after every tell."""
        from ..analysis.history import history  # it reads a run

        return history(self)

    def module_graph(self, candidate: int) -> networkx.DiGraph | None:
        """The module graph of a candidate, where its space has one.

        Of a space of our own it is made from the genotype; of a stranger's, whose code is not run for looking, the log
        keeps those of elites.

        Raises:
            UsageError: there is no such candidate, or the log has graphs and none of this one.
        """
        rows = self.query("SELECT graph FROM graphs WHERE candidate = ?", [candidate])
        if rows:
            with self._decoding():
                return unpack_graph(rows[0][0])
        self.readable(candidate)  # raises where there is no such candidate
        if is_own("spaces", self.config.space.kind):
            registry = Registry()
            if not registry.find("spaces", self.config.space.kind, "space").graph_needs_files:
                space = registry.build("spaces", self.config.space.kind, self.config.space.arguments, "space")
                return space.module_graph(self.genotypes([candidate])[candidate])
        if candidate not in self.archive.elites.candidates and self.query("SELECT 1 FROM graphs LIMIT 1"):
            raise UsageError(
                f"{self.folder.path}: of candidate {candidate} there is no module graph: of the space"
                f" {self.config.space.kind} the log keeps those of elites alone; qd elites lists them"
            )
        return None

    def with_weights(self) -> list[int]:
        """Candidates of the archive whose trained weights were kept, the best first."""
        frame = self.elites()
        pairs = zip(frame["id"].tolist(), frame["evaluation"].tolist(), strict=True)
        return [candidate for candidate, evaluation in pairs if self.folder.has_weights(evaluation)]

    def summary(self) -> dict[str, Any]:
        """What `qd show --json` prints."""
        from ..analysis.calibration import calibration  # it reads a run

        archive = self.archive
        predicted = [dataclasses.asdict(one) for one in calibration(self)]
        counts = self.counts
        duplicates = self.query("SELECT COUNT(*) FROM candidates WHERE id NOT IN (SELECT candidate FROM evaluations)")
        best = archive.best
        return {
            "run": self.folder.name,
            "space": self.config.space.kind,
            "evaluator": self.config.evaluator.kind,
            "evaluations": {status.label: counts.get(status, 0) for status in Status},
            **({"reevaluations": self.reevaluations} if self.reevaluates else {}),
            "duplicates": duplicates[0][0],
            "archive": {
                "kind": self.config.archive.kind,
                "cells": archive.cells,
                "elites": len(archive),
                "coverage": archive.coverage,
                "qd_score": archive.qd_score,
                "normalised_qd_score": archive.normalised_qd_score,
                "objective": archive.objective.metric,
                "objective_best": best.objective if best else None,
                "measures": [_axis_data(axis) for axis in archive.axes],
                "outside": archive.outside,
            },
            "best": self._record(best.candidate, best.evaluation, best.objective) if best else None,
            **({"predictions": predicted} if predicted else {}),
            "seconds": self.seconds,
        }

    @contextlib.contextmanager
    def _decoding(self) -> Iterator[None]:
        # SQLite has no checksums: bytes that flipped within a value show when the value is decoded
        try:
            yield
        except (zlib.error, ValueError, TypeError, KeyError) as error:
            raise _damaged(self.folder.log, error) from error

    def _record(self, candidate: int, evaluation: int, objective: float) -> dict[str, Any]:
        return {
            "id": candidate,
            "objective": objective,
            "metrics": self._means_of(candidate) if self.reevaluates else self.metrics_of(evaluation),
            "genotype": self.genotypes([candidate])[candidate],
        }

    def _means_of(self, candidate: int) -> dict[str, float]:
        means = ", ".join(f'AVG("{name}")' for name in self.metrics)
        rows = self.query(
            f"SELECT {means} FROM results JOIN evaluations e ON e.id = _evaluation WHERE {ARCHIVED} AND candidate = ?",
            [candidate],
        )
        return dict(zip(self.metrics, rows[0], strict=True))

    def _rows_of(self, evaluations: Sequence[int]) -> pandas.DataFrame:
        rows = self.query(
            f"SELECT _evaluation, emitter, operator, parents, readable, genotype, {_quoted(self.metrics)} FROM results"
            " JOIN evaluations e ON e.id = _evaluation JOIN candidates c ON c.id = e.candidate"
            " WHERE _evaluation IN (SELECT value FROM json_each(?))",
            [json.dumps([int(id) for id in evaluations])],
        )
        named = ["evaluation", "emitter", "operator", "parents", "readable", "genotype"]
        frame = pandas.DataFrame(rows, columns=[*named, *self.metrics])
        frame["parents"] = [self.parse(text) for text in frame["parents"]]
        frame["genotype"] = [self.parse(text) for text in frame["genotype"]]
        return frame

    def _with_means(self, frame: pandas.DataFrame, objective: str) -> pandas.DataFrame:
        """Replace metrics by means over a candidate's evaluations, and say how many these are (`samples`)."""
        means = ", ".join(f'AVG("{name}")' for name in self.metrics)
        rows = self.query(
            f"SELECT candidate, COUNT(*), {means} FROM results JOIN evaluations e ON e.id = _evaluation"
            f" WHERE {ARCHIVED} AND candidate IN (SELECT value FROM json_each(?)) GROUP BY candidate",
            [json.dumps(frame["id"].tolist())],
        )
        known = pandas.DataFrame(rows, columns=["id", "samples", *self.metrics])
        frame = frame.drop(columns=list(self.metrics)).merge(known, on="id", how="left")
        frame[objective] = frame["objective"]  # SQLite adds up in another order, which shows in the last digit
        return frame

    def _axis(self, name: str, bins: int) -> Axis:
        low, high = self._seen(name)
        scale = "log" if low > 0 and high / low >= 30 else "linear"
        return Axis(name, low, high, bins, scale, self.metrics[name].unit)

    def _seen(self, name: str) -> tuple[float, float]:
        rows = self.query(
            f'SELECT MIN("{name}"), MAX("{name}") FROM results JOIN evaluations e ON e.id = _evaluation'
            f" WHERE {ARCHIVED}"
        )
        low, high = rows[0]
        if low is None:
            return 0.0, 1.0
        return (low, high) if low < high else (low - 0.5, high + 0.5)


def _axis_data(axis: Axis) -> dict[str, Any]:
    return {name: getattr(axis, name) for name in ("metric", "low", "high", "bins", "scale", "unit")}


def _quoted(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise UsageError(f"{path.parent} is no run folder: expected {path.name} in it. Folders of runs lie in results/")
    # A reader may not ignore a write-ahead log that stands beside the file: it holds committed rows. Where none does,
    # `immutable` also reads from a folder that cannot be written to.
    has_wal = path.with_name(path.name + "-wal").exists()
    writable = os.access(path.parent, os.W_OK)
    mode = "mode=ro" if has_wal or writable else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=30, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()[0]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        connection.close()
        if has_wal and not writable:
            raise UsageError(
                f"{path}: this search did not end in order, and its folder cannot be written to, which reading what it"
                " wrote last needs; copy the folder to a place of your own"
            ) from error
        raise _damaged(path, error) from error
    if application != APPLICATION_ID:
        connection.close()
        raise UsageError(f"{path}: an SQLite file, but no log of a qd run")
    if version > SCHEMA_VERSION:
        connection.close()
        raise UsageError(
            f"{path}: written by a newer qd (log version {version}, this qd reads up to {SCHEMA_VERSION}); update qdnas"
        )
    if not tables:
        connection.close()
        raise UsageError(f"{path}: the log ends before its first row; the run never began")
    return connection


def _damaged(path: Path, error: object) -> UsageError:
    return UsageError(f"{path}: the log is damaged ({error}); it was left untouched. Restore it from a copy")
