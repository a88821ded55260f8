"""The elites of a run as a table, and what is known of single candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas

from ..archives import Archive
from ..errors import UsageError, suggest
from ..store.reader import ARCHIVED
from ..store.where import matching
from .folding import FoldedLog

CELL_COLUMNS = ["id", "evaluation", "cell", "objective"]
"""What the archive says of an elite, in a table of them."""


def elites(
    run: FoldedLog,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    archive: Archive | None = None,
) -> pandas.DataFrame:
    """The elites, the best first: id, evaluation, cell, objective, one column per metric, and where they came from.

    Args:
        run: whose elites they are.
        where: an SQL condition over metrics, `id`, `operator` and `emitter`.
        sort: a metric, best first by its direction; default: the objective.
        limit: this many at the most.
        archive: one of `project`; default: the run's own.

    Raises:
        UsageError: `where` is refused, or `sort` is no metric of this run.
    """
    archive = archive or run.archive
    sort = sort or archive.objective.metric
    if sort not in run.metrics:
        raise UsageError(f"`sort`: no metric {sort!r} was logged{suggest(sort, sorted(run.metrics))}")
    table = [
        (elite.candidate, elite.evaluation, archive.position(cell), elite.objective)
        for cell, elite in archive.elites.items()
    ]
    frame = pandas.DataFrame(table, columns=CELL_COLUMNS)
    logged = run.elite_rows(frame["evaluation"].tolist())
    frame = frame.merge(logged, on="evaluation", how="left")
    if run.reevaluates:
        frame = _with_means(run, frame, archive.objective.metric)
    if where is not None:
        frame = matching(frame, ["id", "operator", "emitter", *run.metrics], where)
    ascending = run.metrics[sort].direction == "minimise"
    frame = frame.sort_values([sort, "id"], ascending=[ascending, True]).reset_index(drop=True)
    return frame if limit is None else frame.head(limit)


def records(run: FoldedLog, frame: pandas.DataFrame) -> list[dict[str, Any]]:
    """Rows of `elites` as plain data, as `qd elites --json` prints them."""
    return [
        {
            "id": row["id"],
            "evaluation": row["evaluation"],
            "cell": list(row["cell"]),
            "objective": row["objective"],
            "metrics": {name: row[name] for name in run.metrics},
            "genotype": row["genotype"],
            "parents": row["parents"],
            "operator": row["operator"],
            **({"samples": row["samples"]} if run.reevaluates else {}),
        }
        for row in frame.to_dict("records")
    ]


def evaluation_of(run: FoldedLog, candidate: int) -> int:
    """The evaluation that an elite is an elite by; of another candidate, its last ok one in the search.

    Raises:
        UsageError: there is no such candidate, or it has none.
    """
    slots = np.flatnonzero(run.archive.elites.candidates == candidate)
    if slots.size:
        return int(run.archive.elites.evaluations[slots[0]])
    rows = run.query(
        f"SELECT e.id FROM evaluations e JOIN results ON _evaluation = e.id WHERE {ARCHIVED} AND e.candidate = ?"
        " ORDER BY e.id DESC LIMIT 1",
        [candidate],
    )
    if not rows:
        run.readable(candidate)  # raises where there is no such candidate
        raise UsageError(f"{run.folder.path}: candidate {candidate} has no ok evaluation, so it has no metrics")
    return rows[0][0]


def with_weights(run: FoldedLog) -> list[int]:
    """Candidates of the archive whose trained weights were kept, the best first."""
    frame = elites(run)
    pairs = zip(frame["id"].tolist(), frame["evaluation"].tolist(), strict=True)
    return [candidate for candidate, evaluation in pairs if run.folder.has_weights(evaluation)]


def _with_means(run: FoldedLog, frame: pandas.DataFrame, objective: str) -> pandas.DataFrame:
    """Replace metrics by means over a candidate's evaluations, and say how many these are (`samples`)."""
    known = run.means_of(frame["id"].tolist())
    frame = frame.drop(columns=list(run.metrics)).merge(known, on="id", how="left")
    frame[objective] = frame["objective"]  # SQLite adds up in another order, which shows in the last digit
    return frame
