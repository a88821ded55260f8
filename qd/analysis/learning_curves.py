"""How networks scored while they were trained, where the search kept their learning curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..candidates import Curve
from .folding import FoldedLog

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class LearningCurve:
    """That of one evaluation.

    Args:
        candidate: its id.
        evaluation: its id.
        elite: whether its candidate is an elite by this evaluation.
        objective: what the evaluation reported in the end.
        curve: epochs and scores.
    """

    candidate: int
    evaluation: int
    elite: bool
    objective: float
    curve: Curve


def curves_of(run: FoldedLog) -> list[LearningCurve]:
    """All that the log has, by evaluation id."""
    found = run.curves()
    rows = run.query(
        f'SELECT e.id, e.candidate, results."{run.archive.objective.metric}" FROM results'
        " JOIN evaluations e ON e.id = _evaluation WHERE _status = 0"
        " AND e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id",
        [json.dumps(list(found))],
    )
    elites = set(run.archive.elites.evaluations.tolist())
    return [
        LearningCurve(candidate, evaluation, evaluation in elites, objective, found[evaluation])
        for evaluation, candidate, objective in rows
    ]


def learning_curves(run: FoldedLog) -> pandas.DataFrame:
    """A row for each evaluation and epoch: `id`, `evaluation`, `elite`, `epoch`, and a column for each score.

    `id` is that of the candidate, `elite` says whether it is one by this evaluation, and `epoch` counts passes over the
    training examples. A score is NaN where it was no finite number, or where a curve has not got it. No row: the search
    kept no curves.
    """
    import pandas

    curves = curves_of(run)
    lengths = [len(one.curve) for one in curves]
    frame = pandas.DataFrame(
        {
            "id": np.repeat(np.array([one.candidate for one in curves], dtype=np.int64), lengths),
            "evaluation": np.repeat(np.array([one.evaluation for one in curves], dtype=np.int64), lengths),
            "elite": np.repeat(np.array([one.elite for one in curves], dtype=bool), lengths),
            "epoch": _joined([one.curve.epochs for one in curves]),
        }
    )
    for name in scores_of(curves):
        columns = [one.curve.scores.get(name, np.full(len(one.curve), np.nan)) for one in curves]
        frame[name] = _joined(columns)
    return frame


def joined(curves: Sequence[LearningCurve]) -> list[LearningCurve]:
    """The same, with the parts of networks that went on from one rung to the next as one curve.

    A curve that begins after the last one of its candidate ended goes on from it; it ends as the later one does.

    Args:
        curves: by evaluation id, so that a part stands before what goes on from it.
    """
    whole: dict[int, LearningCurve] = {}
    latest: dict[int, int] = {}
    for one in curves:
        before = whole.get(latest.get(one.candidate, 0))
        if before is not None and before.curve.epochs[-1] < one.curve.epochs[0]:
            del whole[before.evaluation]
            one = replace(one, curve=_one_after_another(before.curve, one.curve))
        whole[one.evaluation] = one
        latest[one.candidate] = one.evaluation
    return list(whole.values())


def _one_after_another(first: Curve, second: Curve) -> Curve:
    names = dict.fromkeys([*first.scores, *second.scores])
    parts = {name: [part.scores.get(name, np.full(len(part), np.nan)) for part in (first, second)] for name in names}
    return Curve(
        np.concatenate([first.epochs, second.epochs]),
        {name: np.concatenate(values) for name, values in parts.items()},
    )


def scores_of(curves: Sequence[LearningCurve]) -> list[str]:
    """The metrics that curves have, in the order in which they were reported."""
    return list(dict.fromkeys(name for one in curves for name in one.curve.scores))


def _joined(columns: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *columns])
