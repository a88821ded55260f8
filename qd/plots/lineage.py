"""The lineage of an elite: its ancestors, back to the first proposals."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..analysis.folding import FoldedLog
from ..analysis.lineage import lineage as ancestors_of
from ..analysis.run import Run
from ..errors import UsageError
from .base import Plot
from .style import SERIES, new_figure, objective_label, plain, rule, title, words


def lineage(run: Run, id: int | None = None) -> Figure:
    """Ancestors by when they were proposed and how good they were; a link goes from a parent to its child.

    Args:
        run: any run.
        id: a candidate; default: the best elite.

    Raises:
        UsageError: there is no such candidate, or no elite yet.
    """
    id = id if id is not None else best_candidate(run)
    family = {one.id: one for one in ancestors_of(run, id)}
    objective = run.archive.objective
    figure = new_figure(7.4, 4.8)
    axes = figure.add_subplot()
    plain(axes)
    axes.set(xlabel="candidate (in the order proposed)", ylabel=objective_label(objective))
    known = {one.id: one.objective if one.objective is not None else np.nan for one in family.values()}
    for child in family.values():
        for parent in child.parents:
            if parent in family:
                axes.plot([parent, child.id], [known[parent], known[child.id]], color="#c4c4c4", linewidth=0.7)
    for index, operator in enumerate(sorted({one.operator for one in family.values()})):
        made = [one for one in family.values() if one.operator == operator]
        axes.scatter(
            [one.id for one in made],
            [known[one.id] for one in made],
            s=18,
            zorder=2,
            color=SERIES[index % len(SERIES)],
            label=f"{words(operator, 30)} ({len(made)})",
        )
    axes.scatter([id], [known[id]], s=90, facecolors="none", edgecolors="black", zorder=3)
    rule(axes.xaxis, min(family), max(family), "linear")
    depth = max(one.generation for one in family.values())
    title(axes, f"{run.folder.name}: ancestors of {id}", f"ancestors: {len(family) - 1}, generations: {depth}")
    axes.legend(frameon=False, fontsize=8, title="made by", title_fontsize=8)
    return figure


def best_candidate(run: FoldedLog) -> int:
    """The candidate of the best elite.

    Raises:
        UsageError: there is no elite yet.
    """
    best = run.archive.best
    if best is None:
        raise UsageError(f"{run.folder.path}: no elite yet; name a candidate: `id`")
    return best.candidate


class Lineage(Plot):
    """`lineage`."""

    about = "the ancestors of an elite"
    draw = staticmethod(lineage)
