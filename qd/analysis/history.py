"""How a search went: counts, coverage, QD score and best after every tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .folding import FoldedLog
from .rungs import share

if TYPE_CHECKING:
    import pandas

COLUMNS = ("tell", "seconds", "evaluations", "ok", "elites", "coverage", "qd_score", "normalised_qd_score", "best")


def history(run: FoldedLog) -> pandas.DataFrame:
    """One row for each tell; `best` is in the objective's own unit, and NaN until there is an elite.

    Where there are rungs, further columns count the evaluations at each of them (`evaluations at 1/9`). The figures
    follow from what the log says entered the archive, so nothing is folded.
    """
    frame = _from_figures(run) if run.accepted_only else _replayed(run) if run.reevaluates else _summed_up(run)
    rungs = run.config.search.rungs
    for fidelity in rungs.fidelities if rungs else ():
        counts = run.query(
            "SELECT _tell, COUNT(*) FROM results JOIN evaluations e ON e.id = _evaluation"
            " WHERE e.purpose = 'search' AND e.fidelity = ? GROUP BY _tell",
            [fidelity],
        )
        at = np.searchsorted(frame["tell"].to_numpy(np.int64), _column(counts, 0))
        frame[f"evaluations at {share(fidelity)}"] = _counted(at, _column(counts, 1), len(frame))
    return frame


def _summed_up(run: FoldedLog) -> pandas.DataFrame:
    """From what entered the archive, and what it displaced."""
    import pandas

    objective = run.archive.objective
    last = run.last_tell  # a search may tell more while this is read
    tells = run.query("SELECT id, seconds FROM tells WHERE id <= ? ORDER BY id", [last])
    frame = pandas.DataFrame(tells, columns=["tell", "seconds"])
    counts = run.query(
        "SELECT _tell, COUNT(*), SUM(_status = 0) FROM results JOIN evaluations e ON e.id = _evaluation"
        " WHERE e.purpose = 'search' AND _tell <= ? GROUP BY _tell",
        [last],
    )
    entered = run.query(
        f'SELECT r._tell, r."{objective.metric}", d."{objective.metric}", i.displaced IS NULL FROM insertions i'
        " JOIN results r ON r._evaluation = i.evaluation LEFT JOIN results d ON d._evaluation = i.displaced"
        " WHERE r._tell <= ? ORDER BY r._tell, i.evaluation",
        [last],
    )
    ids = frame["tell"].to_numpy(np.int64)
    frame["evaluations"] = _summed(ids, counts, 1)
    frame["ok"] = _summed(ids, counts, 2)
    value, before = objective.sign * _column(entered, 1), objective.sign * _column(entered, 2)
    new = _column(entered, 3)
    gain = np.where(new > 0, value - objective.worst, value - before)
    at = np.searchsorted(ids, _column(entered, 0))  # the row of an insertion's tell
    frame["elites"] = np.bincount(at, new, len(ids)).cumsum().astype(np.int64)
    frame["qd_score"] = np.bincount(at, gain, len(ids)).cumsum()
    best = np.full(len(ids), -np.inf)
    np.maximum.at(best, at, value)
    best = np.maximum.accumulate(best)
    frame["best"] = np.where(np.isfinite(best), objective.sign * best, np.nan)
    return _with_shares(run, frame, _cells(run, frame))


def _from_figures(run: FoldedLog) -> pandas.DataFrame:
    """What an accepted log says of itself, every few tells."""
    import pandas

    rows = run.query(
        "SELECT tell, seconds, evaluations, ok, elites, cells, qd_score, best FROM figures JOIN tells ON id = tell"
        " ORDER BY tell"
    )
    names = ["tell", "seconds", "evaluations", "ok", "elites", "cells", "qd_score", "best"]
    frame = pandas.DataFrame(rows, columns=names).astype({"best": "float64"})
    return _with_shares(run, frame, frame["cells"].to_numpy(np.float64))


def _with_shares(run: FoldedLog, frame: pandas.DataFrame, cells: np.ndarray) -> pandas.DataFrame:
    objective = run.archive.objective
    cells = np.maximum(cells, 1)
    frame["coverage"] = frame["elites"] / cells
    frame["normalised_qd_score"] = frame["qd_score"] / ((objective.high - objective.low) * cells)
    return frame.reindex(columns=list(COLUMNS))


def _cells(run: FoldedLog, frame: pandas.DataFrame) -> np.ndarray:
    """(T,) cells after each tell: a refinement adds some, and an unstructured archive has those that it filled."""
    if not run.archive.fixed:
        return frame["elites"].to_numpy(np.float64)
    cells = np.full(len(frame), float(run.archive.cells))
    refined = [(tell, math.prod(bins)) for tell, bins in run.refinements()]
    if refined:
        cells[:] = math.prod(axis.bins for axis in run.config.archive.measures)
    for tell, count in refined:
        cells[frame["tell"].to_numpy() >= tell] = count
    return cells


def _replayed(run: FoldedLog) -> pandas.DataFrame:
    """Fold the archive tell by tell: where means decide, elites lose value without losing their cell."""
    import pandas

    archive, rows, before = run.archive.emptied(), [], 0
    counts = run.query(
        "SELECT t.id, t.seconds, COUNT(_status), TOTAL(_status = 0) FROM tells t LEFT JOIN results ON _tell = t.id"
        " LEFT JOIN evaluations e ON e.id = _evaluation AND e.purpose IN ('search', 'reevaluation')"
        " WHERE e.id IS NOT NULL GROUP BY t.id ORDER BY t.id"
    )
    evaluations = ok = 0
    for tell, seconds, told, fine in counts:
        run.replay(archive, before, tell)
        evaluations, ok, before = evaluations + told, ok + int(fine), tell
        best = archive.best.objective if archive.best else np.nan
        figures = (len(archive), archive.coverage, archive.qd_score, archive.normalised_qd_score)
        rows.append((tell, seconds, evaluations, ok, *figures, best))
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def _column(rows: Sequence[tuple[float | None, ...]], index: int) -> np.ndarray:
    return np.array([row[index] for row in rows], dtype=np.float64)


def _summed(ids: np.ndarray, counts: Sequence[tuple[int, ...]], index: int) -> np.ndarray:
    """(T,) running totals of a column of `counts`, whose first column is the tell."""
    return _counted(np.searchsorted(ids, _column(counts, 0)), _column(counts, index), len(ids))


def _counted(at: np.ndarray, counts: np.ndarray, rows: int) -> np.ndarray:
    """(rows,) running totals of counts at these rows; of rows that came since then there are none."""
    inside = at < rows
    return np.bincount(at[inside], counts[inside], rows).cumsum().astype(np.int64)
