"""Groups of runs beside each other: the four statistics of Mouret & Clune (2015), tests, and curves.

A cell's quality is the objective's distance from its worst value, so that shares make sense whatever the objective's
range and direction; for accuracies in [0, 1] it is the paper's own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas

from ..archives import Archive, Objective
from ..errors import UsageError
from ..store.folder import RunFolder
from .history import history
from .run import open_run
from .statistics import MannWhitney, mann_whitney

STATISTICS = {
    "global_performance": "best of the run / best of all runs",
    "global_reliability": "mean over all cells that any run filled of the run's quality / the best quality of any run",
    "precision": "the same mean, over the cells that the run filled",
    "coverage": "cells that the run filled / cells that any run filled",
}
CURVES = ("best", "coverage", "qd_score")
POINTS = 200
"""Of a curve."""


class Test(NamedTuple):
    """Two treatments compared by one statistic."""

    statistic: str
    first: str
    second: str
    result: MannWhitney


@dataclass(frozen=True)
class Treatment:
    """Runs that differ in their seeds alone.

    Args:
        name: what people call it.
        folders: of the runs.
        statistics: {name of `STATISTICS`: (R,) float64, one for each run}.
        curves: {name of `CURVES`: (R, POINTS) float64} at the comparison's `grid` of evaluations.
        objectives: (R,) float64, the best of each run, in the objective's own unit.
        elites: (R,) int64.
        seconds: (R,) float64, search time.
        merged: the best of all runs in each cell.
    """

    name: str
    folders: Sequence[Path]
    statistics: Mapping[str, np.ndarray]
    curves: Mapping[str, np.ndarray]
    objectives: np.ndarray
    elites: np.ndarray
    seconds: np.ndarray
    merged: Archive


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Args:
        evaluations: of every run.
        treatments: in the order in which they were given.
        grid: (POINTS,) evaluations at which the curves are given.
        filled: cells that any run filled.
    """

    evaluations: int
    treatments: Sequence[Treatment]
    grid: np.ndarray
    filled: int

    @property
    def objective(self) -> Objective:
        """Of all runs."""
        return self.treatments[0].merged.objective

    @cached_property
    def tests(self) -> list[Test]:
        """Every statistic, for every pair of treatments."""
        return [
            Test(name, a.name, b.name, mann_whitney(a.statistics[name].tolist(), b.statistics[name].tolist()))
            for name in STATISTICS
            for a, b in combinations(self.treatments, 2)
        ]

    def data(self) -> dict[str, Any]:
        """Plain data: what `qd compare --json` prints."""
        archive = self.treatments[0].merged
        return {
            "evaluations": self.evaluations,
            "objective": archive.objective.metric,
            "measures": [axis.metric for axis in archive.axes],
            "cells": archive.cells,
            "cells_filled_by_any": self.filled,
            "statistics": STATISTICS,
            "treatments": [_treatment_data(one) for one in self.treatments],
            "tests": [
                {"statistic": test.statistic, "first": test.first, "second": test.second, **test.result._asdict()}
                for test in self.tests
            ],
            "curves": {
                "evaluations": self.grid.tolist(),
                **{one.name: {name: _spread(one.curves[name]) for name in CURVES} for one in self.treatments},
            },
        }


def compare(
    folders: Sequence[Path],
    progress: Callable[[int, int], None] = lambda done, all: None,
    plugins: Path | str | None = None,
) -> Comparison:
    """Compare groups of runs.

    Runs of one treatment have the same run file but for the seed; treatments have the same task, map and budget.

    Args:
        folders: of runs, or of folders of runs.
        progress: called with how many runs are read, and how many there are.
        plugins: where the archive's kind is looked up if it is a plug-in.

    Raises:
        UsageError: a folder holds no run, or the runs cannot be compared.
    """
    paths = find_runs(folders)
    groups = _grouped(paths)
    loaded: dict[str, list[_Loaded]] = {}
    for name, members in groups.items():
        for path in members:
            loaded.setdefault(name, []).append(_load(path, plugins))
            progress(sum(map(len, loaded.values())), len(paths))
    everyone = [run for runs in loaded.values() for run in runs]
    _check_comparable(everyone)
    evaluations = everyone[0].evaluations
    grid = np.linspace(0, evaluations, POINTS + 1)[1:]
    most = np.full(everyone[0].archive.cells, -np.inf)  # the paper's M(c)
    for run in everyone:
        np.maximum.at(most, run.cells, run.quality)
    treatments = []
    for name, runs in loaded.items():
        statistics = np.array([_statistics(run, most) for run in runs]).T
        treatments.append(
            Treatment(
                name,
                [run.path for run in runs],
                dict(zip(STATISTICS, statistics, strict=True)),
                {curve: np.array([_at(grid, run, curve) for run in runs]) for curve in CURVES},
                np.array([run.archive.best.objective if run.archive.best else np.nan for run in runs]),
                np.array([len(run.archive) for run in runs]),
                np.array([run.seconds for run in runs]),
                _merged(runs),
            )
        )
    return Comparison(evaluations, treatments, grid, int(np.isfinite(most).sum()))


def find_runs(folders: Sequence[Path]) -> list[Path]:
    """The folders themselves where they are runs, else the runs in them, sorted by name; each once.

    Raises:
        UsageError: there is none.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        inside = (
            [folder] if RunFolder(folder).log.is_file() else sorted(log.parent for log in folder.glob("**/log.sqlite"))
        )
        if not inside:
            raise UsageError(f"{folder}: no run in it; expected folders with log.sqlite")
        found.update({path.resolve(): path for path in inside})
    return list(found.values())


class _Loaded(NamedTuple):
    """What is kept of a run."""

    path: Path
    task: dict[str, Any]
    archive: Archive
    cells: np.ndarray  # (L,) int64, of the elites in an unrefined archive
    quality: np.ndarray  # (L,) float64, at least 0
    evaluations: int
    seconds: float
    curves: pandas.DataFrame


def _load(path: Path, plugins: Path | str | None) -> _Loaded:
    run = open_run(path, plugins=plugins)
    archive = run.fold(run.empty_archive(), genotypes=False)
    try:
        cells_of = archive.with_cells().emptied().cells_of
    except UsageError as error:
        raise UsageError(f"{path}: nothing to compare: {error}") from None
    elites, objective = archive.elites, archive.objective
    cells = cells_of(elites.positions) if len(elites) else np.empty(0, dtype=np.int64)
    data = run.config.dump()
    axes = [(axis.metric, axis.low, axis.high, axis.bins, axis.scale, axis.categories) for axis in archive.axes]
    task = {
        "space": data["space"],
        "evaluator": data["evaluator"],
        "archive": (run.config.archive.kind, objective, axes),
        "cells": archive.recorded(),
        "outside": archive.clips,
    }
    quality = objective.sign * elites.objectives - objective.worst
    curves = history(run)
    loaded = _Loaded(path, task, archive, cells, quality, sum(run.counts.values()), run.seconds, curves)
    run.close()
    return loaded


def _grouped(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """{treatment: its runs}: equal run files but for the seed, and what does not change the search."""
    groups: dict[str, list[Path]] = {}
    kinds: dict[str, str] = {}
    for path in paths:
        run = open_run(path)
        data = run.config.dump()
        run.close()
        del data["search"]["seed"], data["budget"], data["executor"], data["log"]
        key = json.dumps(data, sort_keys=True)
        groups.setdefault(key, []).append(path)
        kinds[key] = " + ".join(dict.fromkeys(one["kind"] for one in data["emitters"]))
    times = Counter(kinds.values())
    names: dict[str, list[Path]] = {}
    for key, members in groups.items():
        name = kinds[key]
        if times[name] > 1:  # told apart by where they lie
            parents = {path.resolve().parent.name for path in members}
            name += f" ({parents.pop() if len(parents) == 1 else members[0].resolve().name})"
        number = 2
        while name in names:
            name, number = f"{kinds[key]} ({number})", number + 1
        names[name] = members
    return names


def _check_comparable(runs: Sequence[_Loaded]) -> None:
    first = runs[0]
    for run in runs[1:]:
        for key in first.task:
            if run.task[key] != first.task[key]:
                raise UsageError(
                    f"{first.path} and {run.path} cannot be compared: their {key} differs\n"
                    f"  {first.path}: {first.task[key]}\n  {run.path}: {run.task[key]}"
                )
        if run.evaluations != first.evaluations:
            raise UsageError(
                f"{first.path} and {run.path} cannot be compared: their budgets differ, {first.evaluations:,} and"
                f" {run.evaluations:,} finished evaluations; go on with the shorter one:"
                f" qd resume DIR budget.evaluations={max(run.evaluations, first.evaluations)}"
            )
    if not any(len(run.archive) for run in runs):
        raise UsageError("none of these runs has an elite; nothing to compare")


def _statistics(run: _Loaded, most: np.ndarray) -> list[float]:
    """In the order of `STATISTICS`."""
    best, filled = most.max(), np.isfinite(most).sum()
    # where even the best is the worst possible, every run that is there has all there is to have
    shares = np.divide(run.quality, most[run.cells], out=np.ones_like(run.quality), where=most[run.cells] > 0)
    performance = (run.quality.max() / best if best > 0 else 1.0) if len(run.quality) else 0.0
    precision = shares.mean() if len(shares) else 0.0
    return [performance, shares.sum() / filled, precision, len(run.cells) / filled]


def _merged(runs: Sequence[_Loaded]) -> Archive:
    archive = runs[0].archive.with_cells().emptied()
    sign = archive.objective.sign
    for run in runs:
        elites = run.archive.elites
        for slot, cell in enumerate(run.cells.tolist()):
            value, best = float(elites.objectives[slot]), archive.elites.get(cell)
            if best is None or sign * value > sign * best.objective:
                ids = int(elites.evaluations[slot]), int(elites.candidates[slot])
                archive.replace(cell, *ids, value, elites.positions[slot], None)
    return archive


def _at(grid: np.ndarray, run: _Loaded, curve: str) -> np.ndarray:
    """A curve's values at the grid: of the last tell that is not later; NaN before the first."""
    if run.curves.empty:  # an accepted log has figures of some tells alone
        return np.full(len(grid), np.nan)
    place = np.searchsorted(run.curves["evaluations"].to_numpy(), grid, side="right") - 1
    values = run.curves[curve].to_numpy(np.float64)
    if curve == "coverage":  # of the cells that there are in the end: a refined archive had fewer before
        values = run.curves["elites"].to_numpy(np.float64) / run.archive.cells
    return np.where(place >= 0, values[place], np.nan)


def _treatment_data(one: Treatment) -> dict[str, Any]:
    return {
        "name": one.name,
        "runs": [str(path) for path in one.folders],
        "statistics": {name: {**_summary(values), "runs": values.tolist()} for name, values in one.statistics.items()},
        "best": [None if np.isnan(value) else value for value in one.objectives.tolist()],
        "elites": one.elites.tolist(),
        "seconds": one.seconds.tolist(),
        "merged_elites": len(one.merged),
    }


def _summary(values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return {"median": middle, "lower_quartile": low, "upper_quartile": high}


def _spread(values: np.ndarray) -> dict[str, list[float | None]]:
    """Median and quartiles over runs, at each point; None where a run has no value yet."""
    rows = np.quantile(values, [0.5, 0.25, 0.75], axis=0)
    plain = [[None if np.isnan(value) else value for value in row] for row in rows.tolist()]
    return dict(zip(("median", "lower_quartile", "upper_quartile"), plain, strict=True))
