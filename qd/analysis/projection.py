"""A run's archive over other logged metrics, from the log alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..archives import Archive, Axis, GridArchive, Objective, widened
from ..errors import UsageError
from .folding import FoldedLog


def projection(
    run: FoldedLog,
    measures: Sequence[str] = (),
    objective: str | None = None,
    bins: int = 20,
    project_accepted: bool = False,
) -> Archive:
    """The empty archive over other logged metrics; nothing is evaluated again to fill it.

    Args:
        run: any run.
        measures: metric names, for a grid; the run's own axes keep their ranges, others span what was seen.
            Default: the run's own archive, of whatever kind.
        objective: metric name; default: the run's.
        bins: cells along an axis that is not the run's own.
        project_accepted: let an accepted log be projected onto other measures, from what it has kept.

    Raises:
        UsageError: a name is no metric of this run, or an accepted log lacks what this would need.
    """
    own = {axis.metric: axis for axis in run.archive.axes}
    if run.accepted_only and not project_accepted and (set(measures) - set(own) or objective):
        raise UsageError(
            f"{run.folder.path}: the log keeps what entered the archive, and not what would have entered another;"
            " draw it from that alone with `accepted_only`, or search again with `log: all`"
        )
    names = list(measures) or list(own)
    for name in [*names, *([objective] if objective else [])]:
        run.require_metric(name)
    if len(set(names)) < len(names):
        raise UsageError(f"expected different measures, got {', '.join(names)}")
    goal = run.archive.objective
    if objective and objective != goal.metric:
        metric = run.metrics[objective]
        low, high = _seen(run, objective)
        goal = Objective(objective, metric.direction, low, high, metric.unit)
    if not measures:
        archive = run.archive.emptied()
        archive.objective = goal
        return archive
    if not run.archive.binned:  # its axes have ranges, but no bins
        own = {name: dataclasses.replace(axis, bins=bins) for name, axis in own.items()}
    axes = [own.get(name) or _axis(run, name, bins) for name in names]
    return GridArchive(goal, axes, run.config.archive.outside)


def _axis(run: FoldedLog, name: str, bins: int) -> Axis:
    low, high = _seen(run, name)
    scale = "log" if low > 0 and low <= high / 30 else "linear"
    return Axis(name, low, high, bins, scale, run.metrics[name].unit)


def _seen(run: FoldedLog, name: str) -> tuple[float, float]:
    return widened(*(run.range_of(name) or (0.0, 1.0)))
