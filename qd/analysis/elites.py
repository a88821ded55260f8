"""The elites of a run as a table, and what is known of single candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..archives import Archive
from ..errors import UsageError, suggest
from ..store.reader import ARCHIVED
from ..store.where import matching
from .folding import FoldedLog
from .rungs import inherited_from

if TYPE_CHECKING:
    import pandas

ELITE_COLUMNS = "id evaluation cell objective emitter operator parents readable genotype".split()
"""Columns of `elites` before those of metrics."""
SAMPLES = "samples"
"""One more, where elites are evaluated again: how many evaluations a mean is of."""
INHERITED = "inherited_from"
"""One more, where candidates inherit weights: the parent whose weights the network began with; None: it began anew."""


def elites(
    run: FoldedLog,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    archive: Archive | None = None,
) -> pandas.DataFrame:
    """The elites as a frame: what `elite_rows` gives, a row each.

    Raises:
        UsageError: `where` is refused, or `sort` is no metric of this run.
    """
    import pandas

    return pandas.DataFrame(elite_rows(run, where, sort, limit, archive), columns=columns(run))


def columns(run: FoldedLog) -> list[str]:
    """The keys of `elite_rows`, in their order."""
    return [
        *ELITE_COLUMNS,
        *([SAMPLES] if run.reevaluates else []),
        *([INHERITED] if run.inherits else []),
        *run.metrics,
    ]


def elite_rows(
    run: FoldedLog,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    archive: Archive | None = None,
) -> list[dict[str, Any]]:
    """The elites, the best first: id, evaluation, cell, objective, where they came from, and each metric by its name.

    Args:
        run: whose elites they are.
        where: an SQL condition over metrics, `id`, `operator` and `emitter`.
        sort: a metric, best first by its direction; default: the objective.
        limit: this many at the most.
        archive: one of `project`; default: the run's own.

    Raises:
        UsageError: `where` is refused, or `sort` is no metric of this run.
    """
    archive = run.archive if archive is None else archive  # an empty one is false
    sort = sort or archive.objective.metric
    if sort not in run.metrics:
        raise UsageError(f"`sort`: no metric {sort!r} was logged{suggest(sort, sorted(run.metrics))}")
    logged = run.logged(archive.elites.evaluations.tolist())
    means = run.means_of(archive.elites.candidates.tolist()) if run.reevaluates else {}
    parents = inherited_from(run, archive.elites.evaluations.tolist()) if run.inherits else {}
    rows = []
    for cell, elite in archive.elites.items():
        own = {
            "id": elite.candidate,
            "evaluation": elite.evaluation,
            "cell": archive.position(cell),
            "objective": elite.objective,
            **logged[elite.evaluation],
        }
        if means:  # of all evaluations; SQLite adds up in another order, which shows in the objective's last digit
            own |= means[elite.candidate] | {archive.objective.metric: elite.objective}
        if run.inherits:
            own[INHERITED] = parents.get(elite.evaluation)
        rows.append(own)
    if where is not None:
        rows = matching(rows, ["id", "operator", "emitter", *run.metrics], where)
    sign = -1 if run.metrics[sort].direction == "maximise" else 1
    rows.sort(key=lambda row: (math.inf if row[sort] is None else sign * row[sort], row["id"]))
    return rows[:limit]


def records(run: FoldedLog, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
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
            **({INHERITED: _whole(row[INHERITED])} if run.inherits else {}),
        }
        for row in rows
    ]


def _whole(value: float | None) -> int | None:
    """A number of a frame's column, where one that is missing is NaN."""
    return None if value is None or math.isnan(value) else int(value)


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
    return [row["id"] for row in elite_rows(run) if run.folder.has_weights(row["evaluation"])]
