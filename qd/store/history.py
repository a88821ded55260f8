"""How a search went: counts, coverage, QD score and best after every tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas

from .run import Run

COLUMNS = ("tell", "seconds", "evaluations", "ok", "elites", "coverage", "qd_score", "normalised_qd_score", "best")


def history(run: Run) -> pandas.DataFrame:
    """One row for each tell; `best` is in the objective's own unit, and NaN until there is an elite.

    The figures follow from what the log says entered the archive, so nothing is folded.
    """
    archive = run.archive
    objective = archive.objective
    tells = run.query("SELECT id, seconds FROM tells ORDER BY id")
    frame = pandas.DataFrame(tells, columns=["tell", "seconds"])
    counts = run.query(
        "SELECT _tell, COUNT(*), SUM(_status = 0) FROM results JOIN evaluations e ON e.id = _evaluation"
        " WHERE purpose = 'search' GROUP BY _tell"
    )
    entered = run.query(
        f'SELECT r._tell, r."{objective.metric}", d."{objective.metric}", i.displaced IS NULL FROM insertions i'
        " JOIN results r ON r._evaluation = i.evaluation LEFT JOIN results d ON d._evaluation = i.displaced"
        " ORDER BY r._tell, i.evaluation"
    )
    ids = frame["tell"].to_numpy(np.int64)
    frame["evaluations"] = _summed(ids, counts, 1)
    frame["ok"] = _summed(ids, counts, 2)
    value, before = objective.sign * _column(entered, 1), objective.sign * _column(entered, 2)
    new = _column(entered, 3)
    gain = np.where(new > 0, value - objective.worst, value - before)
    at = np.searchsorted(ids, _column(entered, 0))  # the row of an insertion's tell
    frame["elites"] = np.bincount(at, new, len(ids)).cumsum().astype(np.int64)
    frame["coverage"] = frame["elites"] / archive.cells
    frame["qd_score"] = np.bincount(at, gain, len(ids)).cumsum()
    frame["normalised_qd_score"] = frame["qd_score"] / ((objective.high - objective.low) * archive.cells)
    best = np.full(len(ids), -np.inf)
    np.maximum.at(best, at, value)
    best = np.maximum.accumulate(best)
    frame["best"] = np.where(np.isfinite(best), objective.sign * best, np.nan)
    return frame[list(COLUMNS)]


def _column(rows: Sequence[tuple[float | None, ...]], index: int) -> np.ndarray:
    return np.array([row[index] for row in rows], dtype=np.float64)


def _summed(ids: np.ndarray, counts: Sequence[tuple[int, ...]], index: int) -> np.ndarray:
    """(T,) running totals of a column of `counts`, whose first column is the tell."""
    at = np.searchsorted(ids, _column(counts, 0))
    return np.bincount(at, _column(counts, index), len(ids)).cumsum().astype(np.int64)
