"""The learning curves of a search: how networks scored after every epoch of their training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.learning_curves import LearningCurve, curves_of, joined, scores_of
from ..analysis.run import Run
from ..errors import UsageError, suggest
from .base import Plot
from .style import colours_of, metric_label, new_figure, objective_label, plain, rule, scale_of, title

MOST = 1000
"""Curves that are drawn behind those of the elites; of more, these many are taken evenly over the search."""
GREATEST = 1e300
"""Where a picture ends: its margins must be numbers too."""


def learning(run: Run, objective: str | None = None) -> Figure:
    """Every curve, coloured by the objective that its network reached in the end; those of the elites in front.

    Args:
        run: one that kept learning curves.
        objective: the score that is drawn; default: the run's objective, or the first score where that has no curve.

    Raises:
        UsageError: the run kept no learning curves, or none of this score.
    """
    curves = joined(curves_of(run))
    names = scores_of(curves)
    if not names:
        raise UsageError(
            f"{run.folder.path}: its log has no learning curves; evaluator.training.curve=true keeps those of a search"
        )
    goal = run.archive.objective
    score = objective or (goal.metric if goal.metric in names else names[0])
    if score not in names:
        raise UsageError(
            f"`objective`: there are no learning curves of {score!r}, but of {', '.join(names)}{suggest(score, names)}"
        )
    others, elites = ([one for one in curves if one.elite == elite] for elite in (False, True))
    shown = [others[row] for row in np.unique(np.linspace(0, len(others) - 1, min(MOST, len(others))).astype(int))]
    figure = new_figure()
    axes = figure.add_subplot()
    plain(axes)
    ends = np.clip([one.objective for one in curves], -GREATEST, GREATEST)
    colours = ScalarMappable(Normalize(ends.min(), ends.max()), colours_of(goal))
    for front, group in ((False, shown), (True, elites)):
        if group:
            lines = LineCollection(_lines(group, score), linewidths=1.6 if front else 0.8, alpha=1.0 if front else 0.3)
            lines.set_color(colours.to_rgba([one.objective for one in group]))  # pyright: ignore[reportArgumentType]
            axes.add_collection(lines)
    axes.autoscale_view()
    reached = np.concatenate([line[:, 1] for line in _lines(curves, score)])
    falls = run.metrics[score].direction == "minimise"  # a loss, of which the first epochs would squeeze all others
    scale = scale_of(reached[np.isfinite(reached)].tolist()) if falls else "linear"
    axes.set(xlabel="epochs", ylabel=metric_label(score, run.metrics[score]), yscale=scale)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    rule(axes.yaxis, *axes.get_ylim(), scale)
    figure.colorbar(colours, ax=axes, label=f"in the end: {objective_label(goal)}")
    behind = f"{len(others):,} others" if len(shown) == len(others) else f"{len(shown):,} of {len(others):,} others"
    title(axes, run.folder.name, f"in front {len(elites):,} elites, behind them {behind}")
    return figure


def _lines(curves: Sequence[LearningCurve], score: str) -> list[np.ndarray]:
    """(P, 2) epochs and scores of each; one that was looked at once is a short line, so that it is seen."""
    lines = []
    for one in curves:
        epochs, values = one.curve.epochs, one.curve.scores.get(score, np.full(len(one.curve), np.nan))
        values = values.clip(-GREATEST, GREATEST)
        if len(epochs) == 1:
            epochs, values = np.array([0.95, 1.0]) * epochs, np.repeat(values, 2)
        lines.append(np.stack([epochs, values], axis=1))
    return lines


class Learning(Plot):
    """`learning`."""

    about = "learning curves: scores after every epoch, where the search kept them"
    draw = staticmethod(learning)
