"""Where one run's archive is better than another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..archives import GridArchive
from ..errors import UsageError
from ..store.run import Run
from .heatmap import draw_cells, grid_values
from .style import DIVERGING, EMPTY, EMPTY_LINES, metric_label, new_figure, title

ONLY = ("#f6c27a", "#b3a7d0")
"""Cells that the first, or the second, alone has filled; pale forms of the two ends of the colours."""


def difference(runs: Sequence[Run], measures: Sequence[str] = (), objective: str | None = None) -> Figure:
    """The first run's objective minus the second's, cell by cell, on the axes of the first.

    Args:
        runs: two.
        measures: one or two metrics; default: the first run's own.
        objective: a metric; default: the first run's own.

    Raises:
        UsageError: there are not two runs, or the second did not log a metric that is needed.
    """
    if len(runs) != 2:
        raise UsageError(f"difference compares two runs, got {len(runs)}")
    first = runs[0].project(measures, objective)
    if len(first.axes) > 2:
        raise UsageError(f"--measures: a map has one or two axes, got {len(first.axes)}; name two of them")
    for name in [axis.metric for axis in first.axes] + [first.objective.metric]:
        runs[1].require_metric(name)
    second = runs[1].fold(GridArchive(first.objective, first.axes, runs[0].config.archive.outside))
    a, b = grid_values(first), grid_values(second)
    gap = a - b
    reach = float(np.nanmax(np.abs(gap))) if np.isfinite(gap).any() else 1.0
    figure = new_figure(7.4, 6.0 if len(first.axes) == 2 else 3.2)
    axes = figure.add_subplot()
    colours = DIVERGING if first.objective.direction == "minimise" else f"{DIVERGING}_r"
    for values, colour in ((np.where(np.isnan(b), a, np.nan), ONLY[0]), (np.where(np.isnan(a), b, np.nan), ONLY[1])):
        mesh = draw_cells(first, axes, values)
        mesh.set_cmap(ListedColormap([colour]))
    mesh = draw_cells(first, axes, gap, (-(reach or 1.0), reach or 1.0), colours)
    names = [run.folder.name for run in runs]
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label(f"{metric_label(first.objective.metric, first.objective)}: first minus second")
    shared = int(np.isfinite(gap).sum())
    sign = first.objective.sign
    better = int((sign * gap[np.isfinite(gap)] > 0).sum())
    worse = int((sign * gap[np.isfinite(gap)] < 0).sum())
    title(
        axes,
        f"first: {names[0]}, second: {names[1]}",
        f"of {shared} cells that both filled, the first is better in {better}, the second in {worse}",
    )
    only = [int((~np.isnan(a) & np.isnan(b)).sum()), int((np.isnan(a) & ~np.isnan(b)).sum())]
    axes.legend(
        handles=[
            Patch(facecolor=ONLY[0], label=f"filled by the first alone ({only[0]})"),
            Patch(facecolor=ONLY[1], label=f"by the second alone ({only[1]})"),
            Patch(facecolor=EMPTY, edgecolor=EMPTY_LINES, hatch="////", label="by neither"),
        ],
        loc="upper left",
        bbox_to_anchor=(0.0, -0.1 if len(first.axes) == 2 else -0.28),
        frameon=False,
        fontsize=8,
        ncols=3,
        borderaxespad=0.0,
    )
    return figure
