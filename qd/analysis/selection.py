"""Which candidates of a run a person means: by rank, id, cell, condition or trade-off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from ..candidates import Status
from ..errors import UsageError, shown, suggest
from .run import Run
from .verification import verification


@dataclass(frozen=True)
class Selection:
    """One of `best`, `id`, `cell`, `where` and `pareto`; none of them stands for all elites.

    Args:
        best: the best elite; the best verified one where some were verified.
        id: a candidate, which need not be an elite.
        cell: bins along the axes, such as "3,7".
        where: an SQL condition over elites, as of `qd elites`.
        pareto: metrics, such as "val_accuracy,macs": the elites that no other elite beats in all of them.
        top: only this many of what was chosen, the best first.
    """

    best: bool = False
    id: int | None = None
    cell: str | None = None
    where: str | None = None
    pareto: str | None = None
    top: int | None = None

    @property
    def is_one(self) -> bool:
        """Whether it stands for a single candidate."""
        return self.best or self.id is not None or self.cell is not None


def choose(run: Run, selection: Selection, verified_first: bool = True) -> list[int]:
    """Return candidate ids, the best first.

    Args:
        run: whose candidates they are.
        selection: which.
        verified_first: whether elites that were verified come first, by their mean, and then the rest.

    Raises:
        UsageError: nothing fits, or the candidate has no result.
    """
    if selection.top is not None and selection.top < 1:
        raise UsageError(f"`top`: expected at least 1, got {selection.top}")
    if selection.id is not None:
        return [_answered(run, selection.id)]
    if not len(run.archive):
        raise UsageError(f"{run.folder.path}: no elite yet, nothing to choose from")
    if selection.cell is not None:
        return [_in_cell(run, selection.cell)]
    frame = run.elites(selection.where)
    if frame.empty:
        raise UsageError(
            f"{run.folder.path}: no elite fulfils `where` {shown(selection.where)}; qd elites shows them all"
        )
    if selection.pareto is not None:
        frame = frame[_undominated(run, frame, selection.pareto)]
    found = verification(run) if verified_first else None
    ranks = {id: rank for rank, id in enumerate(found.elites["id"].tolist())} if found else {}
    ids = sorted(frame["id"].tolist(), key=lambda id: ranks.get(id, math.inf))  # stable: the rest by the objective
    return ids[:1] if selection.best else ids[: selection.top]


def _answered(run: Run, candidate: int) -> int:
    run.readable(candidate)  # refuses one that does not exist
    rows = run.query(
        "SELECT _status, _error FROM evaluations e LEFT JOIN results ON e.id = _evaluation"
        " WHERE e.candidate = ? AND e.purpose = 'search' ORDER BY e.id",
        [candidate],
    )
    where = f"{run.folder.path}: candidate {candidate}"
    if not rows:
        twin = run.query("SELECT twin FROM candidates WHERE id = ?", [candidate])[0][0]
        raise UsageError(f"{where} was not evaluated: it is a duplicate of {twin}; take that one")
    status, error = rows[-1]
    if status is None:
        raise UsageError(f"{where} has no result yet")
    if run.status(status) is not Status.OK:
        lines = (error or "").strip().splitlines() or ["no reason was logged"]
        raise UsageError(f"{where} is {run.status(status).label.replace('_', ' ')}, not ok: {lines[-1]}")
    return candidate


def _in_cell(run: Run, text: str) -> int:
    archive = run.archive
    try:
        cell = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"`cell`: expected bins such as 3,7, got {shown(text)}") from None
    elites = {archive.position(cell): elite for cell, elite in archive.elites.items()}
    if cell in elites:
        return elites[cell].candidate
    bins = " and ".join(f"0 to {axis.bins - 1} ({axis.metric})" for axis in archive.axes)
    if len(cell) != len(archive.axes) or not all(
        0 <= i < axis.bins for i, axis in zip(cell, archive.axes, strict=True)
    ):
        raise UsageError(f"`cell`: expected {bins}, got {shown(text)}")
    raise UsageError(f"`cell`: cell {text} holds no elite; qd elites {run.folder.path} lists the cells that do")


def _undominated(run: Run, frame: pandas.DataFrame, text: str) -> np.ndarray:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in run.metrics:
            raise UsageError(f"`pareto`: no metric {shown(name)} was logged{suggest(name, sorted(run.metrics))}")
    if len(names) < 2:
        raise UsageError(f"`pareto`: expected at least two different metrics, got {shown(text)}")
    return undominated(frame[names].to_numpy(), [run.metrics[name].direction == "maximise" for name in names])


def undominated(values: np.ndarray, maximise: Sequence[bool]) -> np.ndarray:
    """Which of the (N, M) rows no other row beats: (N,) bool. Equal rows do not beat each other."""
    signed = np.where(maximise, values, -values)
    return np.array([not ((signed >= row).all(1) & (signed > row).any(1)).any() for row in signed])
