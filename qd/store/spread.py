"""The noise of a metric: how far it scatters when one architecture is trained again with fresh seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..candidates import Purpose, Status
from .run import Run


@dataclass(frozen=True)
class Spread:
    """A metric over the verifications of one candidate."""

    mean: float
    deviation: float
    """Sample standard deviation; NaN of a single training."""
    count: int


def spreads(run: Run, metric: str) -> dict[int, Spread]:
    """{candidate: the metric over its verifications}, of all that were verified; empty before any."""
    rows = run.query(
        f'SELECT candidate, "{metric}" FROM evaluations e JOIN results ON _evaluation = e.id'
        " WHERE purpose = ? AND _status = ? ORDER BY e.id",
        [Purpose.VERIFICATION.value, Status.OK.value],
    )
    grouped: dict[int, list[float]] = {}
    for candidate, value in rows:
        grouped.setdefault(candidate, []).append(value)
    return {
        candidate: Spread(
            float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan, len(values)
        )
        for candidate, values in grouped.items()
    }


def pooled_deviation(found: dict[int, Spread]) -> float | None:
    """Standard deviation of one training, pooled over candidates; None where no candidate was trained twice."""
    pairs = [(one.deviation, one.count - 1) for one in found.values() if one.count > 1]
    if not pairs:
        return None
    return math.sqrt(sum(d * d * freedom for d, freedom in pairs) / sum(freedom for _, freedom in pairs))
