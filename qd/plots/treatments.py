"""Treatments beside each other: box plots of the four statistics, merged maps, curves."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from ..analysis.comparison import CURVES, STATISTICS, Comparison
from .heatmap import heatmap
from .style import SERIES, new_figure, objective_label, plain, short, title


def box_plots(found: Comparison) -> Figure:
    """The four statistics, a box for each treatment and a point for each run."""
    figure = new_figure(11.4, 3.6)
    panels = figure.subplots(1, len(STATISTICS))
    sideways = np.random.default_rng(0)
    for axes, statistic in zip(panels, STATISTICS, strict=True):
        values = [one.statistics[statistic] for one in found.treatments]
        boxes = axes.boxplot(values, widths=0.6, showfliers=False, patch_artist=True, medianprops={"color": "black"})
        for place, (box, points) in enumerate(zip(boxes["boxes"], values, strict=True)):
            colour = SERIES[place % len(SERIES)]
            box.set(facecolor=to_rgba(colour, 0.35), edgecolor=colour)
            axes.plot(place + 1 + sideways.uniform(-0.18, 0.18, len(points)), points, ".", color=colour, markersize=4)
        axes.set(xticks=[], ylim=(0, 1.04))
        plain(axes)
        title(axes, statistic.replace("_", " "))
    _name(panels[-1], found)
    return figure


def merged_maps(found: Comparison) -> Figure:
    """The best of all runs of each treatment, on one scale of colours; of one or two measures."""
    count = len(found.treatments)
    columns = min(2, count)
    rows = -(-count // columns)
    figure = new_figure(5.6 * columns, 4.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, one in zip(panels, found.treatments, strict=False):
        runs = f"{one.name.replace('_', ' ')}, {len(one.folders)} runs"
        heatmap(one.merged, axes, runs, _limits(found))
    for axes in list(panels):
        axes.set_axis_off()
    return figure


def curves(found: Comparison) -> Figure:
    """Best, coverage and QD score over evaluations: median, and a band from quartile to quartile."""
    figure = new_figure(11.4, 3.8)
    labels = {"best": objective_label(found.objective), "coverage": "coverage", "qd_score": "QD score"}
    panels = figure.subplots(1, len(CURVES))
    for axes, curve in zip(panels, CURVES, strict=True):
        for place, one in enumerate(found.treatments):
            low, middle, high = np.quantile(one.curves[curve], [0.25, 0.5, 0.75], axis=0)
            colour = SERIES[place % len(SERIES)]
            axes.fill_between(found.grid, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(found.grid, middle, color=colour)
        axes.set(xlabel="evaluations", ylabel=labels[curve], xlim=(0, found.evaluations))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        plain(axes)
    _name(panels[-1], found)
    return figure


def _limits(found: Comparison) -> tuple[float, float]:
    """Values of the first and the last colour; the worst few, far below all others, share the colour of the end."""
    values = np.concatenate([one.merged.elites.objectives for one in found.treatments])
    share = 0.02
    if found.objective.sign > 0:
        return float(np.quantile(values, share)), float(values.max())
    return float(values.min()), float(np.quantile(values, 1 - share))


def _name(axes: Axes, found: Comparison) -> None:
    """Say beside the last panel which colour is which treatment."""
    handles = [
        Patch(color=SERIES[place % len(SERIES)], label=one.name.replace("_", " "))
        for place, one in enumerate(found.treatments)
    ]
    axes.legend(handles=handles, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
