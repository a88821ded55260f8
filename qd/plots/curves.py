"""QD score, coverage and best while the search went on; bands where several runs differ by their seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.history import history
from ..analysis.run import Run
from ..errors import UsageError
from .base import Plot
from .style import SERIES, new_figure, objective_label, plain, rule, words

POINTS = 400
"""Places along the horizontal axis at which the runs of a band are compared."""


def curves(runs: Sequence[Run], over: Literal["evaluations", "seconds"] = "evaluations") -> Figure:
    """Three curves, one below the other; a line is the median of its runs, a band goes from the least to the most.

    Args:
        runs: those that differ by nothing but seed, budget and executor share a line.
        over: finished search evaluations, or seconds of search time.

    Raises:
        UsageError: the runs have different objectives, or `over` is something else.
    """
    if over not in ("evaluations", "seconds"):
        raise UsageError(f"`over`: expected evaluations or seconds, got {over!r}")
    goals = {run.archive.objective.metric for run in runs}
    if len(goals) > 1:
        raise UsageError(f"curves need runs with one objective, got {', '.join(sorted(goals))}")
    objective = runs[0].archive.objective
    drawn = (
        ("normalised_qd_score", "normalised\nQD score"),
        ("coverage", "coverage"),
        ("best", f"best {objective_label(objective)}".replace(" (", "\n(")),
    )
    figure = new_figure(7.4, 6.6)
    panels = figure.subplots(3, 1, sharex=True)
    for index, (label, group) in enumerate(groups(runs).items()):
        frames = [history(run) for run in group]
        for axes, (column, _) in zip(panels, drawn, strict=True):
            _draw(axes, frames, over, column, SERIES[index % len(SERIES)], label)
    for axes, (_, label) in zip(panels, drawn, strict=True):
        plain(axes)
        axes.set_ylabel(label, fontsize=9)
    bottom = panels[-1]
    bottom.set_xlabel("search evaluations" if over == "evaluations" else "search time [s]")
    bottom.set_xlim(left=0)
    rule(bottom.xaxis, 0, bottom.get_xlim()[1], "linear")
    if len(runs) > 1:
        panels[0].legend(frameon=False, fontsize=8, loc="lower right")
        if any(axes.collections for axes in panels):
            panels[0].set_title("lines: medians; bands: from the least to the most", loc="left", fontsize=9)
    else:
        panels[0].set_title(words(runs[0].folder.name), loc="left", fontsize=10)
    return figure


def groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """{label: runs that differ by seed, budget and executor at the most}, in the order given."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(_treatment(run), []).append(run)
    labels: dict[str, list[Run]] = {}
    for group in found.values():
        name = group[0].folder.name
        label = f"{name} and its like ({len(group)} seeds)" if len(group) > 1 else name
        labels[label if label not in labels else str(group[0].folder.path)] = group
    return labels


def _treatment(run: Run) -> str:
    data: dict[str, Any] = run.config.dump()
    data["search"] = {**data["search"], "seed": None}
    return repr({name: value for name, value in data.items() if name not in ("budget", "executor")})


def _draw(axes: Axes, frames: list[pandas.DataFrame], over: str, column: str, colour: str, label: str) -> None:
    if len(frames) == 1:
        frame = frames[0]
        x, y = frame[over].to_numpy(np.float64), frame[column].to_numpy(np.float64)
        axes.plot(x, y, color=colour, linewidth=1.4, drawstyle="steps-post", label=label)
        return
    ends = [frame[over].iloc[-1] for frame in frames if len(frame)]
    if not ends:
        return
    places = np.linspace(0, min(ends), POINTS)  # as far as all of them got
    values = np.stack([_at(frame, over, column, places) for frame in frames if len(frame)])
    known = ~np.isnan(values).any(axis=0)
    values, places = values[:, known], places[known]
    if places.size:
        axes.plot(places, np.median(values, axis=0), color=colour, linewidth=1.4, label=label)
        axes.fill_between(places, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)


def _at(frame: pandas.DataFrame, over: str, column: str, places: np.ndarray) -> np.ndarray:
    """(P,) values of a column after the last tell at or before each place."""
    rows = np.searchsorted(frame[over].to_numpy(np.float64), places, side="right") - 1
    start = np.nan if column == "best" else 0.0
    return np.where(rows >= 0, frame[column].to_numpy(np.float64)[np.maximum(rows, 0)], start)


class Curves(Plot):
    """`curves`."""

    about = "QD score, coverage and best while the search went on"
    takes = "runs"
    draw = staticmethod(curves)
