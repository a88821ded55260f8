"""The Pareto front of the objective against a cost, with the archive behind it."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.figure import Figure

from ..analysis.run import Run
from ..analysis.spread import verified
from ..errors import UsageError
from ..wording import tested
from .base import Plot
from .style import FAINT, SERIES, metric_label, new_figure, objective_label, plain, rule, scale_of, title


def pareto(run: Run, cost: str | None = None, objective: str | None = None) -> Figure:
    """Which elites no other elite beats in both the objective and the cost.

    Args:
        run: any run.
        cost: a metric; default: see `default_cost`.
        objective: a metric; default: the run's own.

    Raises:
        UsageError: a name is no metric of the run, or cost and objective are one; also by default, where the run has no
            other metric.
    """
    archive = run.project((), objective) if objective else run.archive
    goal = archive.objective
    cost = cost or default_cost(run, goal.metric) or goal.metric
    run.require_metric(cost)
    if cost == goal.metric:
        raise UsageError(f"`cost`: {cost} is the objective already; name another metric")
    frame = run.elites(archive=archive)
    front = pareto_front(run, frame, cost, goal.metric)
    figure = new_figure()
    axes = figure.add_subplot()
    plain(axes)
    scale = scale_of(frame[cost].tolist())
    axes.set(xscale=scale, xlabel=metric_label(cost, run.metrics[cost]), ylabel=objective_label(goal))
    plural = "elites" if len(frame) != 1 else "elite"
    axes.scatter(frame[cost], frame[goal.metric], s=12, color=FAINT, label=f"{len(frame)} {plural}")
    axes.plot(front[cost], front[goal.metric], "o-", drawstyle="steps-post", color=SERIES[0], markersize=4,
              linewidth=1.2, label=f"{len(front)} that no other beats in both")  # fmt: skip
    found = verified(run)
    checked = [(row[cost], found[row["id"]][goal.metric]) for row in frame.to_dict("records") if row["id"] in found]
    part = " on the test split" if tested(goal.metric) != goal.metric else ""
    if checked:
        axes.errorbar(
            [place for place, _ in checked],
            [spread.mean for _, spread in checked],
            yerr=[np.nan_to_num(spread.deviation) for _, spread in checked],
            fmt="D",
            markersize=3.5,
            linewidth=1,
            color=SERIES[1],
            label=f"verified{part}: mean ± standard deviation",
        )
    if len(frame):
        rule(axes.xaxis, *axes.get_xlim(), scale)
    title(axes, run.folder.name)
    axes.legend(frameon=False, fontsize=8)
    return figure


def default_cost(run: Run, objective: str) -> str | None:
    """The metric that a front is most likely wanted against; None where there is no metric but the objective.

    The first of the run's measures that is better the less there is, else the first measure, else a metric but a time.
    """
    own = [axis.metric for axis in run.archive.axes if axis.metric != objective]
    others = [name for name, metric in run.metrics.items() if name != objective and not metric.time]
    return next((name for name in own if run.metrics[name].direction == "minimise"), next(iter(own + others), None))


def pareto_front(run: Run, frame: pandas.DataFrame, cost: str, objective: str) -> pandas.DataFrame:
    """The rows of `Run.elites` that no other row beats in one of the two metrics and equals in the other.

    A cost is better the less there is of it, unless its metric says that it is to be maximised.
    """
    signs = {name: 1.0 if run.metrics[name].direction == "maximise" else -1.0 for name in (cost, objective)}
    costs = -signs[cost] * frame[cost].to_numpy(np.float64)
    gains = signs[objective] * frame[objective].to_numpy(np.float64)
    order = np.lexsort((-gains, costs))  # the least cost first; of equal costs, the most gain
    before = np.maximum.accumulate(np.concatenate([[-np.inf], gains[order]]))[:-1]
    return frame.iloc[order[gains[order] > before].tolist()]


class Pareto(Plot):
    """`pareto`."""

    about = "the Pareto front of the objective against a cost"
    draw = staticmethod(pareto)
