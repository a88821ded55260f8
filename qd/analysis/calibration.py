"""What models expected of candidates, beside what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from .folding import FoldedLog
from .statistics import rank_correlation

if TYPE_CHECKING:
    import pandas

FEWEST = 10
"""Predictions with an answer, below which nothing is said of a model."""


@dataclass(frozen=True)
class Calibration:
    """How a model's predictions of a metric turned out, on the axis's scale where the metric is a measure."""

    metric: str
    count: int
    """Predictions whose candidate has an answer."""
    rank_correlation: float
    """Of what was expected and what came (Spearman's), in [-1, 1]; 0 where either never varies."""
    error: float
    """Root of the mean squared error."""
    deviation: float
    """Root of the mean variance that was predicted: equal to the error in a calibrated model."""
    coverage_50: float
    """Share of answers within the interval that should hold a half of them."""
    coverage_90: float


def predictions(run: FoldedLog) -> pandas.DataFrame:
    """Every prediction whose candidate has an answer, by candidate and metric.

    Columns: id, metric, mean, deviation, observed; the last three on the axis's scale, so the logarithm to base 10
    where a measure's axis is logarithmic.
    """
    import pandas

    frames = [_of_metric(run, metric) for metric in _predicted(run)]
    columns = ["id", "metric", "mean", "deviation", "observed"]
    return pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame(columns=columns)


def calibration(run: FoldedLog) -> list[Calibration]:
    """One row for each metric that was predicted often enough: the objective first."""
    if not _predicted(run):
        return []
    frame = predictions(run)
    found = [_calibrated(str(metric), rows) for metric, rows in frame.groupby("metric", sort=False)]
    return [one for one in found if one.count >= FEWEST]


def _predicted(run: FoldedLog) -> list[str]:
    if not run.has_table("predictions"):
        return []  # written before there were models
    names = {name for (name,) in run.query("SELECT DISTINCT metric FROM predictions")}
    ordered = [run.archive.objective.metric, *(axis.metric for axis in run.archive.axes)]
    return [name for name in ordered if name in names]


def _of_metric(run: FoldedLog, metric: str) -> pandas.DataFrame:
    import pandas

    rows = run.query(
        f'SELECT p.candidate, p.mean, p.deviation, results."{metric}" FROM predictions p'
        " JOIN evaluations e ON e.candidate = p.candidate JOIN results ON _evaluation = e.id"
        " WHERE e.purpose = 'search' AND e.fidelity = 1 AND p.metric = ? AND _status = 0"
        f' AND results."{metric}" IS NOT NULL ORDER BY e.id',
        [metric],
    )
    frame = pandas.DataFrame(rows, columns=["id", "mean", "deviation", "observed"])
    for axis in run.archive.axes:
        if axis.metric == metric:
            frame["observed"] = axis.position(frame["observed"].to_numpy(np.float64))
    frame.insert(1, "metric", metric)
    return frame.loc[np.isfinite(frame["observed"].to_numpy(np.float64))]


def _calibrated(metric: str, rows: pandas.DataFrame) -> Calibration:
    mean, deviation, observed = (rows[name].to_numpy(np.float64) for name in ("mean", "deviation", "observed"))
    distance = np.abs(observed - mean)
    return Calibration(
        metric,
        len(rows),
        rank_correlation(mean, observed) or 0.0,
        float(np.sqrt((distance**2).mean())),
        float(np.sqrt((deviation**2).mean())),
        *(float((distance <= NormalDist().inv_cdf(0.5 + share / 2) * deviation).mean()) for share in (0.5, 0.9)),
    )
