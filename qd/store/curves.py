"""Learning curves, as the log holds them: one row for each evaluation."""

from __future__ import annotations

import json

import numpy as np

from ..candidates import Curve, Results, Status
from ..plain_data import parse_json
from .documents import CURVE, checked


def pack_curve(curve: Curve) -> str:
    """JSON: the epochs, and the scores of each metric after them; null where one was no finite number."""
    scores = {
        name: [value if np.isfinite(value) else None for value in values.tolist()]
        for name, values in curve.scores.items()
    }
    return json.dumps({"epochs": curve.epochs.tolist(), "scores": scores}, separators=(",", ":"))


def curve_rows(results: Results) -> list[tuple[int, str]]:
    """(evaluation, packed curve) of what is OK; the search itself may have let others fail."""
    ok = set(results.evaluation_ids[results.status == Status.OK].tolist())
    return [(id, pack_curve(curve)) for id, curve in results.curves.items() if id in ok]


def unpack_curve(text: str) -> Curve:
    """The curve that was packed.

    Raises:
        ValueError: it is none.
    """
    data = checked(parse_json(text), CURVE)
    epochs = np.array(data["epochs"], dtype=np.float64)
    if not (np.diff(epochs, prepend=0.0) > 0).all():
        raise ValueError("the epochs of a learning curve do not rise")
    scores = {name: np.array(values, dtype=np.float64) for name, values in data["scores"].items()}
    if any(len(values) != len(epochs) for values in scores.values()):
        raise ValueError("a learning curve has not a score for each epoch")
    return Curve(epochs, scores)
