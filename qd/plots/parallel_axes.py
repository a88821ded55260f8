"""Parallel axes: every elite a line across its metrics (Inselberg 1985)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..analysis.run import Run
from ..archives import widened
from ..config import LARGEST
from ..errors import UsageError
from .base import Plot
from .heatmap import colour_bar
from .style import colours_of, new_figure, scale_of, short, words

TICKS = 5


def parallel_axes(run: Run, measures: Sequence[str] = (), objective: str | None = None) -> Figure:
    """The elites as lines over several metrics, the best in front.

    Args:
        run: any run.
        measures: metrics to draw; default: the run's own measures, its objective, and the other metrics but times.
        objective: the metric that colours, and by which the archive is made; default: the run's own.

    Raises:
        UsageError: a name is no metric of the run, or there is only one.
    """
    archive = run.project((), objective) if objective else run.archive
    goal = archive.objective
    own = [axis.metric for axis in archive.axes]
    others = [name for name, metric in run.metrics.items() if not metric.time]
    names = list(dict.fromkeys([*measures, goal.metric] if measures else [*own, goal.metric, *others]))
    for name in names:
        run.require_metric(name)
    if len(names) < 2:
        raise UsageError(f"`measures`: parallel axes need two metrics at least, got {', '.join(names)}")
    frame = run.elites(sort=goal.metric, archive=archive).iloc[::-1]
    figure = new_figure(1.4 + 1.35 * len(names), 4.6)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.15, len(names) - 0.85), ylim=(-0.03, 1.03))
    axes.set_xticks(range(len(names)), [_wrapped(name, run.metrics[name].unit) for name in names], fontsize=8)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, pad=8)
    axes.spines[:].set_visible(False)
    heights = np.empty((len(frame), len(names)))
    for index, name in enumerate(names):
        heights[:, index] = _draw_axis(axes, index, frame[name].to_numpy(np.float64))
    plural = "elites" if len(frame) != 1 else "elite"
    figure.suptitle(f"{words(run.folder.name)}: {len(frame)} {plural}", fontsize=10, x=0.01, ha="left")
    if len(frame):
        values = frame[goal.metric].to_numpy(np.float64)
        limits = widened(float(values.min()), float(values.max()))
        lines = LineCollection(
            [np.column_stack([np.arange(len(names)), row]) for row in heights],
            array=values,
            cmap=colours_of(goal),
            linewidths=0.9,
            alpha=0.75,
        )
        lines.set_clim(*limits)
        axes.add_collection(lines)
        colour_bar(figure, [axes], limits, goal)
    return figure


def _draw_axis(axes: Axes, index: int, values: np.ndarray) -> np.ndarray:
    """Draw the vertical line with its ticks; returns the heights of the values in [0, 1], NaN where there is none."""
    axes.axvline(index, color="black", linewidth=0.8, ymin=0.03, ymax=0.97)
    known = values[np.isfinite(values)]
    if not known.size:
        return np.full(len(values), np.nan)
    log = scale_of(known.tolist()) == "log"
    places = np.log10(values) if log else np.clip(values, -LARGEST, LARGEST)
    low, high = widened(float(np.nanmin(places)), float(np.nanmax(places)))
    for share in np.linspace(0, 1, TICKS):
        value = low + share * (high - low)
        text = short(float(f"{10**value if log else value:.3g}"))
        axes.annotate(
            text,
            (index, share),
            (-4, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )
        axes.plot([index - 0.015, index], [share, share], color="black", linewidth=0.8)
    return (places - low) / (high - low)


def _wrapped(name: str, unit: str) -> str:
    text = "\n".join(name.split("_"))
    return f"{text}\n[{words(unit, 20)}]" if unit else text


class ParallelAxes(Plot):
    """`parallel_axes`."""

    about = "every elite a line across its metrics"
    draw = staticmethod(parallel_axes)
