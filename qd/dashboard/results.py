"""The runs of a folder, by name: the only way from an address to a path."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..analysis.run import Run, open_run
from ..analysis.state import state_of
from ..errors import QdError, UsageError
from .live import LiveRun

DEPTH = 3
"""Runs may lie in folders of folders: results/experiment/treatment/seed."""
OPEN_RUNS = 8
"""This many runs are kept in memory."""


@dataclass(frozen=True)
class Row:
    """A run in the list."""

    name: str
    state: str
    """As `State.word` has it, or unreadable."""
    space: str = ""
    evaluator: str = ""
    evaluations: int = 0
    failed: int = 0
    elites: int = 0
    best: float | None = None
    objective: str = ""
    problem: str = ""


class Results:
    """Finds runs below a folder; what lies elsewhere has no name here.

    Args:
        folder: of runs, or itself a run.
        plugins: where an archive's kind is looked up if it is a plug-in.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, folder: Path, plugins: Path | str | None = None) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder; runs lie in results/ by default")
        self.folder, self._plugins = folder.resolve(), plugins
        self._is_run = (self.folder / "log.sqlite").is_file()
        self._live: dict[str, LiveRun] = {}
        self._rows: dict[str, tuple[tuple[int, ...], Row]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Every run, the one that was written to last first."""
        if self._is_run:
            return [self.folder.name]
        logs = [log for depth in range(1, DEPTH + 1) for log in self.folder.glob("*/" * depth + "log.sqlite")]
        found = [log for log in logs if self._holds_run(log.parent)]
        found.sort(key=_changed, reverse=True)
        return [path.parent.relative_to(self.folder).as_posix() for path in found]

    def path(self, name: str) -> Path:
        """The folder of a run.

        Raises:
            UsageError: no run of this name lies in the folder.
        """
        if self._is_run:
            if name == self.folder.name:
                return self.folder
        else:
            parts = name.split("/")
            plain = "\0" not in name and not {"", ".", ".."} & set(parts) and len(parts) <= DEPTH
            if plain and self._holds_run(self.folder.joinpath(*parts)):
                return self.folder.joinpath(*parts)
        raise UsageError(f"There is no run {name!r} in {self.folder}.")

    def open(self, name: str) -> LiveRun:
        """The run, kept in memory from the first time on.

        Raises:
            UsageError: there is no such run, or its log cannot be read.
        """
        path = self.path(name)
        with self._lock:
            live = self._live.pop(name, None) or LiveRun(path, self._plugins)
            self._live[name] = live
            if len(self._live) > OPEN_RUNS:
                self._live.pop(next(iter(self._live)))
        return live

    def rows(self) -> list[Row]:
        """The list of runs; what did not change is not read again."""
        return [self._row(name) for name in self.names()]

    def _holds_run(self, path: Path) -> bool:
        """Whether a run lies there, and not behind a link that leads out of the folder."""
        log = path / "log.sqlite"
        return log.is_file() and log.resolve().is_relative_to(self.folder)

    def _row(self, name: str) -> Row:
        path = self.path(name)
        stamp = _stamp(path / "log.sqlite")
        known = self._rows.get(name)
        if known and known[0] == stamp and known[1].state not in ("running", "unknown"):
            return known[1]
        try:
            with _opened(path) as run:
                row = _describe(name, run)
        except QdError as error:
            row = Row(name, "unreadable", problem=str(error))
        self._rows[name] = (stamp, row)
        return row


def _describe(name: str, run: Run) -> Row:
    objective = run.config.archive.objective.metric
    direction = "MAX" if run.metrics[objective].direction == "maximise" else "MIN"
    if run.reevaluates:  # elites lose value, and leave their cells
        best = run.archive.best
        elites, value = len(run.archive), best.objective if best else None
    else:  # what once was an elite was no better than the best one is now, so no archive is needed
        ((elites, value),) = run.query(
            f'SELECT SUM(i.displaced IS NULL), {direction}(results."{objective}") FROM insertions i'
            " JOIN results ON _evaluation = i.evaluation"
        )
    counts = run.counts
    return Row(
        name,
        state_of(run).word,
        run.config.space.kind,
        run.config.evaluator.kind,
        sum(counts.values()),
        sum(count for status, count in counts.items() if not status.is_answer),
        elites or 0,
        value,
        objective,
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Run]:
    run = open_run(path)
    try:
        yield run
    finally:
        run.close()


def _changed(log: Path) -> float:
    times = [path.stat().st_mtime for path in (log, log.with_name(log.name + "-wal")) if path.exists()]
    return max(times, default=0.0)


def _stamp(log: Path) -> tuple[int, ...]:
    stats = [path.stat() for path in (log, log.with_name(log.name + "-wal")) if path.exists()]
    return tuple(number for stat in stats for number in (stat.st_mtime_ns, stat.st_size))
