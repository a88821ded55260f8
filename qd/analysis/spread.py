"""What candidates reach with fresh seeds: the spreads that `qd verify` wrote to the log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..candidates import Purpose, Status
from ..store.reader import LogReader, columns


@dataclass(frozen=True)
class Spread:
    """A metric of one candidate over verifications, in the metric's unit."""

    mean: float
    deviation: float
    """Standard deviation of a sample; NaN for a single seed."""
    least: float
    most: float
    seeds: int
    """How many gave an answer, at least 1."""


def verified(run: LogReader) -> dict[int, dict[str, Spread]]:
    """{candidate: {metric: spread}} of all that were verified and gave an answer."""
    rows = run.query(
        f"SELECT e.candidate{columns(run.metrics)} FROM results JOIN evaluations e ON e.id = _evaluation"
        " WHERE e.purpose = ? AND _status = ? ORDER BY e.candidate, e.repeat",
        [Purpose.VERIFICATION.value, Status.OK.value],
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
