"""From a run file to an empty archive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from search_spaces import Metric

from ..config import ArchiveConfig, AxisConfig, ObjectiveConfig
from ..errors import UsageError, suggest
from .axes import Axis, Objective
from .base import Archive
from .cvt import CVTArchive, tessellate
from .grid import CategoricalArchive, GridArchive, Refinement
from .unstructured import UnstructuredArchive


def make_archive(
    config: ArchiveConfig,
    metrics: Mapping[str, Metric],
    where: str = "archive",
    centroids: Sequence[Sequence[float]] | None = None,
) -> Archive:
    """Build the empty archive of a run file, its axes and objective checked against the metrics that are reported.

    Args:
        config: the run file's section.
        metrics: what is reported.
        where: the section's key, for messages.
        centroids: those that the run has logged; without them a `cvt` is tessellated, which takes seconds.

    Raises:
        UsageError: a metric that nobody reports, or an objective without a finite range.
    """
    objective = make_objective(config.objective, metrics, f"{where}.objective")
    axes = [make_axis(axis, metrics, f"{where}.measures[{index}]") for index, axis in enumerate(config.measures)]
    if config.kind == "cvt":
        assert config.cells is not None
        if centroids is None:
            points = tessellate(config.cells, len(axes), config.samples, config.centroid_seed)
        else:
            points = np.array(centroids)
        return CVTArchive(objective, axes, points, config.outside)
    if config.kind == "unstructured":
        assert config.novelty is not None
        return UnstructuredArchive(objective, axes, config.novelty, config.neighbours, config.outside)
    if config.kind == "categorical":
        return CategoricalArchive(objective, axes, config.outside)
    refinements = [Refinement(one.evaluations, config.bins_of(one)) for one in config.refine]
    return GridArchive(objective, axes, config.outside, refinements)


def make_objective(config: ObjectiveConfig, metrics: Mapping[str, Metric], where: str) -> Objective:
    """The objective with the range that the run file gives, or else the metric's own.

    Raises:
        UsageError: nobody reports the metric, or its range is not finite.
    """
    metric = _known(config.metric, metrics, f"{where}.metric")
    low = metric.low if config.low is None else config.low
    high = metric.high if config.high is None else config.high
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(
            f"{where}: the normalised QD score needs a finite range, and {config.metric!r} has [{low:g}, {high:g}];"
            f" write {{metric: {config.metric}, low: ..., high: ...}}"
        )
    if not low < high:
        raise UsageError(f"{where}: low must be below high, got low={low:g} and high={high:g}")
    return Objective(config.metric, metric.direction, low, high, metric.unit)


def make_axis(config: AxisConfig, metrics: Mapping[str, Metric], where: str) -> Axis:
    """The axis with the metric's unit.

    Raises:
        UsageError: nobody reports the metric.
    """
    metric = _known(config.metric, metrics, f"{where}.metric")
    return Axis(
        config.metric, config.low, config.high, config.bins, config.scale, metric.unit, tuple(config.categories or ())
    )


def _known(name: str, metrics: Mapping[str, Metric], where: str) -> Metric:
    if name not in metrics:
        raise UsageError(f"{where}: no metric {name!r} is reported{suggest(name, sorted(metrics))}")
    return metrics[name]
