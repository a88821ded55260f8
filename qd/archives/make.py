"""From a run file to an empty archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces import Metric

from ..config import LARGEST, ArchiveConfig, AxisConfig, ObjectiveConfig
from ..errors import UsageError, clipped, suggest
from ..registry import Registry
from .axes import Axis, Objective
from .base import Archive


def make_archive(
    config: ArchiveConfig,
    metrics: Mapping[str, Metric],
    registry: Registry | None = None,
    recorded: Mapping[str, Any] | None = None,
    where: str = "archive",
) -> Archive:
    """Build the empty archive of a run file, its axes and objective checked against the metrics that are reported.

    Args:
        config: the run file's section.
        metrics: what is reported.
        registry: finds the kind; default: one without plug-ins.
        recorded: what the log of the run has of it; None for a new run.
        where: the section's key, for messages.

    Raises:
        UsageError: a metric that nobody reports, an objective without a finite range, a key that does not fit, or
            what was recorded is of another archive.
    """
    objective = make_objective(config.objective, metrics, f"{where}.objective")
    axes = [make_axis(axis, metrics, f"{where}.measures[{index}]") for index, axis in enumerate(config.measures)]
    archive = (registry or Registry()).build(
        "archives",
        config.kind,
        config.arguments,
        where,
        list(ArchiveConfig.model_fields),
        objective=objective,
        axes=axes,
        outside=config.outside,
    )
    try:
        archive.restore(recorded or {})
    except Exception as error:  # of a kind of anybody's
        raise UsageError(
            f"{where}: {config.kind} cannot take up what the log of the run has of it"
            f" ({type(error).__name__}: {clipped(error)}); the log is damaged, or this kind has changed since"
        ) from error
    return archive


def make_objective(config: ObjectiveConfig, metrics: Mapping[str, Metric], where: str) -> Objective:
    """The objective with the range that the run file gives, or else the metric's own.

    Raises:
        UsageError: nobody reports the metric, or its range is not finite.
    """
    metric = _known(config.metric, metrics, f"{where}.metric")
    low = metric.low if config.low is None else config.low
    high = metric.high if config.high is None else config.high
    if not max(-low, high) <= LARGEST:
        raise UsageError(
            f"{where}: the normalised QD score needs a finite range, and {config.metric!r} has [{low:g}, {high:g}];"
            f" write {{metric: {config.metric}, low: ..., high: ...}}, within ±{LARGEST:g}"
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
