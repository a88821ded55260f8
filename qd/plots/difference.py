"""Where one run's archive is better than another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..analysis.run import Run
from ..errors import UsageError
from .base import Plot
from .cells import middles, values_of
from .heatmap import chosen_archive, draw_cells
from .style import DIVERGING, EMPTY, EMPTY_LINES, metric_label, new_figure, title


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
    first = chosen_archive(runs[0], measures, objective)
    try:
        first.with_cells()
    except UsageError as error:
        raise UsageError(f"difference: {error}; or name axes: `measures`") from None
    for name in [axis.metric for axis in first.axes] + [first.objective.metric]:
        runs[1].require_metric(name)
    second = runs[1].fold(first.emptied())
    a, b = values_of(first), values_of(second)
    gap = {cell: value - b[cell] for cell, value in a.items() if cell in b}
    reach = max(map(abs, gap.values()), default=0.0) or 1.0
    figure = new_figure(7.4, 6.0 if len(first.axes) == 2 else 3.2)
    axes = figure.add_subplot()
    colours = matplotlib.colormaps[DIVERGING if first.objective.direction == "minimise" else f"{DIVERGING}_r"]
    drawn = draw_cells(first, axes, gap, (-reach, reach), colours)
    names = [run.folder.name for run in runs]
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label(f"{metric_label(first.objective.metric, first.objective)}: first minus second")
    better = sum(first.objective.sign * value > 0 for value in gap.values())
    worse = sum(first.objective.sign * value < 0 for value in gap.values())
    title(
        axes,
        f"first: {names[0]}, second: {names[1]}",
        f"of {len(gap)} cells that both filled, the first is better in {better}, the second in {worse}",
    )
    alone = [(1, first, b, "the first"), (2, second, a, "the second")]
    handles: list[Any] = []
    for number, archive, others, which in alone:
        points = np.array([place for cell, place in middles(archive).items() if cell not in others]).reshape(-1, 2)
        style = {"marker": f"${number}$", "color": "#333333", "linewidths": 0.3}
        axes.scatter(*points.T, s=22, **style)
        label = f"filled by {which} alone ({len(points)})"
        handles.append(axes.scatter([], [], s=40, label=label, **style))
    handles.append(Patch(facecolor=EMPTY, edgecolor=EMPTY_LINES, hatch="////", label="by neither"))
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, -0.1 if len(first.axes) == 2 else -0.28),
        frameon=False,
        fontsize=8,
        ncols=3,
        borderaxespad=0.0,
    )
    return figure


class Difference(Plot):
    """`difference`."""

    about = "where the first of two runs is better than the second"
    takes = "runs"
    draw = staticmethod(difference)
