"""What each emitter and operator brought, while the search went on."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.run import Run
from .base import Plot
from .style import SERIES, new_figure, plain, rule, words

WINDOWS = 30
IN_A_WINDOW = 20
"""A window holds this many evaluations at least, of all operators together."""
SCARCE = 4
"""A share of fewer evaluations than this is not drawn."""


def operators(run: Run) -> Figure:
    """The share of evaluations that entered the archive, by emitter and by operator, in windows of the search."""
    frame = _evaluations(run)
    figure = new_figure(7.4, 5.6)
    panels = figure.subplots(2, 1, sharex=True)
    for axes, column in zip(panels, ("emitter", "operator"), strict=True):
        plain(axes)
        for index, (name, rows) in enumerate(frame.groupby(column)):
            _draw(axes, rows, str(name), SERIES[index % len(SERIES)], len(frame))
        axes.set_ylabel(f"share that entered\nthe archive, by {column}", fontsize=9)
        axes.set_ylim(bottom=0)
        if len(frame):
            axes.legend(frameon=False, fontsize=8)
    panels[-1].set_xlabel("search evaluations")
    panels[-1].set_xlim(0, max(1, len(frame)))
    rule(panels[-1].xaxis, 0, len(frame), "linear")
    panels[0].set_title(words(run.folder.name), loc="left", fontsize=10)
    return figure


def _evaluations(run: Run) -> pandas.DataFrame:
    """One row for each finished search evaluation, in the order told."""
    rows = run.query(
        "SELECT c.emitter, c.operator, i.evaluation IS NOT NULL FROM results"
        " JOIN evaluations e ON e.id = _evaluation JOIN candidates c ON c.id = e.candidate"
        " LEFT JOIN insertions i ON i.evaluation = e.id WHERE e.purpose = 'search' ORDER BY _tell, e.id"
    )
    return pandas.DataFrame(rows, columns=["emitter", "operator", "entered"])


def _draw(axes: Axes, rows: pandas.DataFrame, name: str, colour: str, total: int) -> None:
    edges = np.linspace(0, total, min(WINDOWS, max(1, total // IN_A_WINDOW)) + 1)
    places = rows.index.to_numpy() + 0.5
    tried, _ = np.histogram(places, edges)
    entered, _ = np.histogram(places, edges, weights=rows["entered"].to_numpy(np.float64))
    with np.errstate(invalid="ignore"):
        share = np.where(tried >= SCARCE, entered / tried, np.nan)
    label = f"{words(name, 30)}: {int(entered.sum()):,} of {len(rows):,}"
    axes.plot((edges[1:] + edges[:-1]) / 2, share, "o-", markersize=3, linewidth=1.2, color=colour, label=label)


class Operators(Plot):
    """`operators`."""

    about = "what each emitter and operator brought, over time"
    draw = staticmethod(operators)
