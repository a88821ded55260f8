"""The map: the objective over one or two measures, a cell an elite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..analysis.run import Run
from ..analysis.spread import pooled_deviation, verified
from ..archives import Archive, Axis, Objective, widened
from ..config import LARGEST
from ..errors import UsageError
from .base import Plot
from .cells import grid_of, middles, outlines, values_of
from .style import (
    EMPTY,
    EMPTY_LINES,
    axis_label,
    colours_of,
    new_figure,
    objective_label,
    rule,
    save,
    short,
    title,
)

__all__ = ["axis_label", "heatmap", "map_figure", "save_heatmap", "short"]


def map_figure(run: Run, measures: Sequence[str] = (), objective: str | None = None) -> Figure:
    """The archive over its own or other logged metrics, with the noise of what was verified.

    Args:
        run: any run.
        measures: one or two metrics; default: the run's own.
        objective: the metric that colours; default: the run's own.

    Raises:
        UsageError: a name is no metric of the run, or there are more than two axes.
    """
    return map_of(run, chosen_archive(run, measures, objective))


def chosen_archive(run: Run, measures: Sequence[str] = (), objective: str | None = None) -> Archive:
    """The run's own archive, or one over other logged metrics, that can be drawn as a map.

    Raises:
        UsageError: a name is no metric of the run, or there are more than two axes.
    """
    archive = run.project(measures, objective) if measures or objective else run.archive
    if len(archive.axes) > 2:
        axes = ", ".join(axis.metric for axis in archive.axes)
        raise UsageError(
            f"`measures`: a map has one or two axes, got {len(archive.axes)} ({axes}); name two of them,"
            " or draw small_multiples"
        )
    return archive


def map_of(run: Run, archive: Archive) -> Figure:
    """The map of one of the run's archives."""
    figure = new_figure(7.4, 5.6 if len(archive.axes) == 2 else 3.2)
    axes = figure.add_subplot()
    heatmap(archive, axes, run.folder.name)
    _show_left_out(run, archive, axes)
    _show_noise(run, archive, axes)
    return figure


def save_heatmap(archive: Archive, path: Path, title: str = "") -> None:
    """Draw and write a picture; the file appears whole or not at all.

    Args:
        archive: of one or two axes.
        path: ends in .png, .svg or .pdf.
        title: above the picture.
    """
    figure = new_figure(7.4, 5.6 if len(archive.axes) == 2 else 3.2)
    heatmap(archive, figure.add_subplot(), title)
    save(figure, path)


def heatmap(archive: Archive, axes: Axes, name: str = "", limits: tuple[float, float] | None = None) -> None:
    """Draw an archive of one or two measures: colour is the objective, hatched grey is empty.

    Args:
        archive: of one or two axes.
        axes: where.
        name: of the run, above the picture.
        limits: values of the first and the last colour; default: what the archive holds.
    """
    if limits is None and len(archive):
        limits = widened(float(archive.elites.objectives.min()), float(archive.elites.objectives.max()))
    mesh = draw_cells(archive, axes, values_of(archive), limits)
    if len(archive) or limits:
        label = objective_label(archive.objective)
        if len(archive.axes) == 1:
            label = label.replace(" (", "\n(")  # a strip is not as high as the label is long
        axes.figure.colorbar(mesh, ax=axes, pad=0.02).set_label(label)
    count = f"{len(archive)} of {archive.cells} cells filled ({archive.coverage:.0%})"
    if not archive.fixed:
        count = f"{len(archive)} networks"
    if archive.unknown:
        count += "; squares for cells"
    title(axes, *([name, count] if name else [count]))
    if len(archive) < archive.cells:
        axes.legend(
            handles=[Patch(facecolor=EMPTY, edgecolor=EMPTY_LINES, hatch="////", label="no network found")],
            loc="upper left",
            bbox_to_anchor=(0.0, -0.1 if len(archive.axes) == 2 else -0.32),
            frameon=False,
            fontsize=8,
            borderaxespad=0.0,
        )


def draw_cells(
    archive: Archive,
    axes: Axes,
    values: dict[int, float],
    limits: tuple[float, float] | None = None,
    colours: Colormap | None = None,
) -> ScalarMappable:
    """Draw {cell: value} over an archive's one or two axes; what is empty is hatched grey."""
    axes.set_facecolor(EMPTY)
    axes.patch.set(hatch="////", edgecolor=EMPTY_LINES, linewidth=0)
    style: dict[str, Any] = {
        "cmap": colours or colours_of(archive.objective),
        "norm": Normalize(*limits) if limits else None,
        "edgecolors": "none",
    }
    if archive.binned:
        drawn = draw_grid(archive.axes[:2], axes, grid_of(archive, values), style)
    else:
        shapes = outlines(archive)
        if archive.corners() is not None:
            lines = PolyCollection(list(shapes.values()), facecolors="none", edgecolors=EMPTY_LINES, linewidths=0.4)
            axes.add_collection(lines)
        cells = PolyCollection([shapes[cell] for cell in values], array=np.array(list(values.values())), **style)
        axes.add_collection(cells)
        drawn = cells
    scale_axis(axes, archive.axes[0], "x")
    if len(archive.axes) > 1:
        scale_axis(axes, archive.axes[1], "y")
    else:
        axes.set(ylim=(0, 1), yticks=[])
    return drawn


def draw_grid(sides: Sequence[Axis], axes: Axes, table: np.ndarray, style: dict[str, Any]) -> ScalarMappable:
    """Draw a (bins, bins) or (bins, 1) table of values."""
    y_edges = sides[1].edges() if len(sides) > 1 else np.array([0.0, 1.0])
    return axes.pcolormesh(sides[0].edges(), y_edges, np.ma.masked_invalid(table.T), **style)


def scale_axis(axes: Axes, axis: Axis, which: str) -> None:
    """Give a side of the picture the scale, range, ticks and label of an archive's axis."""
    ends = (float(axis.edges()[0]), float(axis.edges()[-1]))
    if which == "x":
        axes.set(xscale=axis.scale, xlim=ends, xlabel=axis_label(axis))
    else:
        axes.set(yscale=axis.scale, ylim=ends, ylabel=axis_label(axis))
    ruler = axes.xaxis if which == "x" else axes.yaxis
    if axis.categories:
        ruler.set_ticks(range(len(axis.categories)), [short(value) for value in axis.categories])
    else:
        rule(ruler, *ends, axis.scale)


def colour_bar(figure: Figure, axes: Sequence[Axes], limits: tuple[float, float], objective: Objective) -> None:
    """One bar for several maps that share their colours."""
    mappable = ScalarMappable(Normalize(*limits), colours_of(objective))
    figure.colorbar(mappable, ax=axes, pad=0.02).set_label(objective_label(objective))


def _show_left_out(run: Run, archive: Archive, axes: Axes) -> None:
    """Say that values are so large that they count as none, where some are."""
    metric = archive.objective.metric
    low, high = run.range_of(metric) or (0.0, 0.0)
    if max(-low, high) > LARGEST:
        axes.set_title(
            f"{axes.get_title(loc='left')}\n{metric} beyond ±{LARGEST:g} is left out", loc="left", fontsize=10
        )


def _show_noise(run: Run, archive: Archive, axes: Axes) -> None:
    """Mark verified elites, and say how far the objective scatters when a network is trained again."""
    found = verified(run)
    places = middles(archive)
    points = [places[cell] for cell, elite in archive.elites.items() if elite.candidate in found]
    if not points:
        return
    deviation = pooled_deviation(found, archive.objective.metric)
    axes.scatter(*np.array(points).T, s=16, color="white", edgecolors="black", linewidths=0.7)
    noise = f"; one training scatters by ±{deviation:.2g} (standard deviation)" if deviation is not None else ""
    axes.set_title(f"{axes.get_title(loc='left')}\n○ {len(points)} verified{noise}", loc="left", fontsize=10)


class Heatmap(Plot):
    """`heatmap`."""

    about = "the archive over one or two metrics; qd map is its short form"
    draw = staticmethod(map_figure)
