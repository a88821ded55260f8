"""Which genes and modules decide a metric."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.importance import Importance, Ranking
from .style import FAINT, SERIES, new_figure, plain, title, words

MOST = 12
"""Rows of a panel."""


def importance_figure(ranking: Ranking, name: str) -> Figure:
    """A panel each for genes, modules and interactions: shares with their intervals, the most important on top."""
    panels = [
        ("genes", ranking.genes[:MOST]),
        ("modules", ranking.modules[:MOST]),
        ("interactions", ranking.interactions[:MOST]),
    ]
    panels = [(label, items) for label, items in panels if items]
    heights = [len(items) + 2.5 for _, items in panels]
    figure = new_figure(7.4, 0.27 * sum(heights) + 0.6)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for one, (label, items) in zip(axes, panels, strict=True):
        _draw(one, label, items)
    explained = f"{ranking.candidates:,} candidates, {ranking.explained.mean:.0%} of the variance explained"
    title(axes[0], f"{name}: what decides {ranking.metric}", f"{explained}; genes")
    axes[-1].set_xlabel("share of what is explained: with interactions (bar), alone (open circle)", fontsize=9)
    axes[-1].set_xlim(left=0)
    return figure


def _draw(axes: Axes, label: str, items: Sequence[Importance]) -> None:
    plain(axes)
    places = range(len(items))
    axes.barh(places, [one.total.mean for one in items], height=0.62, color=SERIES[0], alpha=0.75)
    for place, one in zip(places, items, strict=True):
        axes.plot([one.total.low, one.total.high], [place, place], color="black", linewidth=1)
        if one.alone is not None:
            axes.plot(max(0.0, one.alone.mean), place, "o", markersize=5, color="white", markeredgecolor="black")
        if one.column is not None and one.correlation is not None:
            text = f"  {words(one.column)} {one.correlation:+.2f}"
            axes.text(one.total.high, place, text, va="center", fontsize=7, color="#555555")
    axes.set_yticks(places, [words(one.name) for one in items], fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", color=FAINT)
    title(axes, label)
