"""A third measure: one map for each of its bins, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ..analysis.run import Run
from ..archives import Axis, GridArchive, widened
from ..errors import UsageError
from .base import Plot
from .heatmap import colour_bar, draw_cells
from .style import axis_label, new_figure, short, words

PANELS_IN_A_ROW = 4
PANELS = 12
"""More are too small to read; a third measure that is not the run's own is cut into fewer bins."""


def small_multiples(run: Run, measures: Sequence[str] = (), objective: str | None = None) -> Figure:
    """Maps over two measures, for each bin of a third; all share their colours.

    Args:
        run: any run.
        measures: three metrics, the third of which is cut into panels; default: the run's own.
        objective: the metric that colours; default: the run's own.

    Raises:
        UsageError: a name is no metric of the run, or there are not three axes.
    """
    names = list(measures) or [axis.metric for axis in run.archive.axes]
    if len(names) != 3:
        raise UsageError(f"`measures`: small multiples need three metrics, got {len(names)} ({', '.join(names)})")
    first = run.project(names[:2], objective)
    third = run.project(names[2:], bins=PANELS // 2).axes[0]
    if third.bins > PANELS:
        raise UsageError(
            f"`measures`: {third.metric} has {third.bins} bins, and more than {PANELS} panels cannot be read;"
            " name another metric third"
        )
    archive = run.fold(GridArchive(first.objective, [*first.axes, third], run.config.archive.outside))
    shape = [axis.bins for axis in archive.axes]
    values = np.full(shape, np.nan)
    for cell, elite in archive.elites.items():
        values[archive.position(cell)] = elite.objective
    limits = _limits(values)
    columns = min(PANELS_IN_A_ROW, third.bins)
    rows = math.ceil(third.bins / columns)
    figure = new_figure(1.6 + 2.2 * columns, 0.9 + 2.2 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for index, axes in enumerate(grid.flat):
        if index >= third.bins:
            axes.set_visible(False)
            continue
        flat = {cell: value for cell, value in enumerate(values[:, :, index].ravel().tolist()) if value == value}
        draw_cells(first, axes, flat, limits)
        axes.label_outer()
        filled = int(np.isfinite(values[:, :, index]).sum())
        axes.set_title(f"{_interval(third, index)}: {filled} filled", loc="left", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in grid.flat:
        axes.set(xlabel="", ylabel="")
    figure.supxlabel(axis_label(archive.axes[0]), fontsize=10)
    figure.supylabel(axis_label(archive.axes[1]), fontsize=10)
    figure.suptitle(f"{words(run.folder.name)}, by {axis_label(third)}", fontsize=10, x=0.01, ha="left")
    colour_bar(figure, [axes for axes in grid.flat if axes.get_visible()], limits, archive.objective)
    return figure


def _interval(axis: Axis, index: int) -> str:
    low, high = axis.edges()[index : index + 2]
    return f"{short(float(f'{low:.3g}'))} to {short(float(f'{high:.3g}'))}"


def _limits(values: np.ndarray) -> tuple[float, float]:
    found = values[np.isfinite(values)]
    if not found.size:
        return 0.0, 1.0
    return widened(float(found.min()), float(found.max()))


class SmallMultiples(Plot):
    """`small_multiples`."""

    about = "a map for each bin of a third metric"
    draw = staticmethod(small_multiples)
