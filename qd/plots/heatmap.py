"""The map: the objective over one or two measures, a cell an elite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..archives import Axis, GridArchive
from ..errors import UsageError
from ..store.run import Run
from ..store.spread import pooled_deviation, spreads
from .style import (
    COLOURS,
    EMPTY,
    EMPTY_LINES,
    FORMATS,
    axis_label,
    new_figure,
    objective_label,
    rule,
    save,
    short,
    title,
)

__all__ = ["FORMATS", "axis_label", "grid_values", "heatmap", "map_figure", "save_heatmap", "short"]


def map_figure(run: Run, measures: Sequence[str] = (), objective: str | None = None) -> Figure:
    """The archive over its own or other logged metrics, with the noise of what was verified.

    Args:
        run: any run.
        measures: one or two metrics; default: the run's own.
        objective: the metric that colours; default: the run's own.

    Raises:
        UsageError: a name is no metric of the run, or there are more than two axes.
    """
    archive = run.project(measures, objective) if measures or objective else run.archive
    if len(archive.axes) > 2:
        axes = ", ".join(axis.metric for axis in archive.axes)
        raise UsageError(
            f"--measures: a map has one or two axes, got {len(archive.axes)} ({axes}); name two of them,"
            " or draw small_multiples"
        )
    figure = new_figure(7.4, 5.6 if len(archive.axes) == 2 else 2.6)
    axes = figure.add_subplot()
    heatmap(archive, axes, run.folder.name)
    _show_noise(run, archive, axes)
    return figure


def save_heatmap(archive: GridArchive, path: Path, title: str = "") -> None:
    """Draw and write a picture; the file appears whole or not at all.

    Args:
        archive: of one or two axes.
        path: ends in .png, .svg or .pdf.
        title: above the picture.
    """
    figure = new_figure(7.4, 5.6 if len(archive.axes) == 2 else 2.6)
    heatmap(archive, figure.add_subplot(), title)
    save(figure, path)


def heatmap(archive: GridArchive, axes: Axes, name: str = "", limits: tuple[float, float] | None = None) -> None:
    """Draw an archive of one or two measures: colour is the objective, hatched grey is empty.

    Args:
        archive: of one or two axes.
        axes: where.
        name: of the run, above the picture.
        limits: values of the first and the last colour; default: what the archive holds.
    """
    mesh = draw_cells(archive, axes, grid_values(archive), limits)
    if len(archive) or limits:
        axes.figure.colorbar(mesh, ax=axes, pad=0.02).set_label(objective_label(archive.objective))
    count = f"{len(archive)} of {archive.cells} cells filled ({archive.coverage:.0%})"
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


def grid_values(archive: GridArchive) -> np.ndarray:
    """(bins, bins) or (bins, 1) objectives of the elites; NaN where a cell is empty."""
    two = len(archive.axes) == 2
    values = np.full([axis.bins for axis in archive.axes] if two else (archive.axes[0].bins, 1), np.nan)
    for cell, elite in archive.elites.items():
        position = archive.position(cell)
        values[position if two else (*position, 0)] = elite.objective
    return values


def draw_cells(
    archive: GridArchive,
    axes: Axes,
    values: np.ndarray,
    limits: tuple[float, float] | None = None,
    colours: str = COLOURS,
) -> QuadMesh:
    """Draw (bins, bins) values over the first two axes of an archive; the empty cells are hatched grey."""
    x = archive.axes[0]
    y = archive.axes[1] if len(archive.axes) > 1 else None
    axes.set_facecolor(EMPTY)
    axes.patch.set(hatch="////", edgecolor=EMPTY_LINES, linewidth=0)
    mesh = axes.pcolormesh(
        x.edges(),
        y.edges() if y else np.array([0.0, 1.0]),
        np.ma.masked_invalid(values.T),
        cmap=matplotlib.colormaps[colours],
        norm=Normalize(*limits) if limits else None,
        edgecolors="none",
    )
    scale_axis(axes, x, "x")
    if y:
        scale_axis(axes, y, "y")
    else:
        axes.set_yticks([])
    return mesh


def scale_axis(axes: Axes, axis: Axis, which: str) -> None:
    """Give a side of the picture the scale, range, ticks and label of an archive's axis."""
    edges = axis.edges()
    if which == "x":
        axes.set(xscale=axis.scale, xlim=(edges[0], edges[-1]), xlabel=axis_label(axis))
    else:
        axes.set(yscale=axis.scale, ylim=(edges[0], edges[-1]), ylabel=axis_label(axis))
    rule(axes.xaxis if which == "x" else axes.yaxis, edges[0], edges[-1], axis.scale)


def colour_bar(figure: Figure, axes: Sequence[Axes], limits: tuple[float, float], label: str) -> None:
    """One bar for several maps that share their colours."""
    mappable = ScalarMappable(Normalize(*limits), matplotlib.colormaps[COLOURS])
    figure.colorbar(mappable, ax=axes, pad=0.02).set_label(label)


def _show_noise(run: Run, archive: GridArchive, axes: Axes) -> None:
    """Mark verified elites, and say how far the objective scatters when a network is trained again."""
    found = spreads(run, archive.objective.metric)
    middles = [_middle(archive, cell) for cell, elite in archive.elites.items() if elite.candidate in found]
    deviation = pooled_deviation(found)
    if not middles:
        return
    x, y = zip(*middles, strict=True)
    axes.scatter(x, y, s=7, color="white", edgecolors="black", linewidths=0.5)
    noise = f"; one training scatters by ±{deviation:.2g} (standard deviation)" if deviation is not None else ""
    axes.set_title(f"{axes.get_title(loc='left')}\n○ {len(middles)} verified{noise}", loc="left", fontsize=10)


def _middle(archive: GridArchive, cell: int) -> tuple[float, float]:
    position = archive.position(cell)
    places = []
    for axis, index in zip(archive.axes, position, strict=True):
        low, high = axis.edges()[index : index + 2]
        places.append(float(np.sqrt(low * high)) if axis.scale == "log" else float(low + high) / 2)
    return (places[0], places[1]) if len(places) == 2 else (places[0], 0.5)
