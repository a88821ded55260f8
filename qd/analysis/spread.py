"""What candidates reach over several evaluations: in the search itself, or with the fresh seeds of `qd verify`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..candidates import Purpose, Status
from ..store.reader import ARCHIVED, LogReader, columns


@dataclass(frozen=True)
class Spread:
    """A metric of one candidate over several evaluations, in the metric's unit."""

    mean: float
    deviation: float
    """Standard deviation of a sample; NaN for a single seed."""
    least: float
    most: float
    seeds: int
    """How many gave an answer, at least 1."""


def verified(run: LogReader) -> dict[int, dict[str, Spread]]:
    """{candidate: {metric: spread}} of all that were verified and gave an answer."""
    return _spreads(run, "e.purpose = ? AND _status = ?", [Purpose.VERIFICATION.value, Status.OK.value])


def measured(run: LogReader, candidates: Sequence[int]) -> dict[int, dict[str, Spread]]:
    """{candidate: {metric: spread}} over the evaluations that the archive is made of: one, unless some are repeated.

    Those of the candidates that have none are left out.
    """
    chosen = json.dumps([int(id) for id in candidates])
    return _spreads(run, f"{ARCHIVED} AND e.candidate IN (SELECT value FROM json_each(?))", [chosen])


def _spreads(run: LogReader, condition: str, arguments: Sequence[Any]) -> dict[int, dict[str, Spread]]:
    rows = run.query(
        f"SELECT e.candidate{columns(run.metrics)} FROM results JOIN evaluations e ON e.id = _evaluation"
        f" WHERE {condition} ORDER BY e.candidate, e.repeat",
        arguments,
    )
    values: dict[int, list[tuple[float, ...]]] = {}
    for candidate, *row in rows:
        values.setdefault(candidate, []).append(tuple(row))
    return {
        candidate: {
            name: _spread(column) for name, column in zip(run.metrics, np.array(table, dtype=np.float64).T, strict=True)
        }
        for candidate, table in values.items()
    }


def pooled_deviation(spreads: Mapping[int, Mapping[str, Spread]], metric: str) -> float | None:
    """How far a metric scatters from seed to seed, over all candidates; None where no candidate has two seeds."""
    pairs = [(one[metric].deviation, one[metric].seeds - 1) for one in spreads.values() if one[metric].seeds > 1]
    if not pairs:
        return None
    return math.sqrt(sum(deviation**2 * freedom for deviation, freedom in pairs) / sum(freedom for _, freedom in pairs))


def _spread(values: np.ndarray) -> Spread:
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Spread(float(values.mean()), deviation, float(values.min()), float(values.max()), len(values))
