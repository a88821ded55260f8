"""Values that nobody expects: huge, tiny, constant, negative. Every way of looking says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import qd
from qd.analysis.learning_curves import curves_of
from qd.dashboard.figures import learning_figure
from qd.dashboard.live import LiveRun
from qd.plots.drawing import find_plot
from qd.registry import own_names
from qd.reporting.page import report_html

PLUGIN = """
from evaluators import Metric, SingleEvaluator
from qd.candidates import Curve
from search_spaces import Real, SearchSpace, Struct


class Space(SearchSpace):
    genes = Struct(x=Real(0, 1), y=Real(0, 1))


class Odd(SingleEvaluator):
    metrics = {
        "usual": Metric("", 0, 1),
        "same": Metric("%$x_1$", -1, 1),
        "lost": Metric("", -2, 0, "minimise"),
        "delay": Metric("s", 0, 1e-9),
        "huge": Metric("", 0, 1),
        "denormal": Metric("", 0, 1),
        "a_very_long_name_of_a_metric_that_somebody_liked_to_spell_out": Metric("", 0, 1),
    }

    def evaluate_one(self, genotype, seed):
        x, y = genotype["x"], genotype["y"]
        values = (x, 0.5, -1 - x, 1e-9 * y, 1e308 * (1.5 if x < 0.5 else -1), 5e-324 * int(9 * x), y)
        return dict(zip(self.metrics, values))

    def evaluate(self, candidates):
        results = super().evaluate(candidates)
        for row, id in enumerate(results.evaluation_ids.tolist()):
            ends = {name: float(column[row]) for name, column in results.metrics.items()}
            results.curves[id] = Curve([0.5, 1, 2], {name: [None, end / 2, end] for name, end in ends.items()})
        return results
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd_values.py").write_text(PLUGIN)
    file = {
        "space": {"kind": "odd_values:Space"},
        "evaluator": {"kind": "odd_values:Odd"},
        "archive": {
            "objective": "usual",
            "measures": [
                {"metric": "delay", "low": 0, "high": 1e-9, "bins": 4},
                {"metric": "usual", "low": 0, "high": 1, "bins": 4},
            ],
        },
        "budget": {"evaluations": 40},
    }
    (folder / "run.yaml").write_text(json.dumps(file))
    return qd.run(folder / "run.yaml", out=folder / "run").folder.path


def colours(figure: Figure) -> tuple[float, float]:
    """Values of the first and last colour of a map."""
    return figure.axes[0].collections[0].get_clim()


def test_every_picture_of_them_can_be_drawn(odd: Path, tmp_path: Path) -> None:
    run = qd.open_run(odd)
    json.dumps(run.summary(), allow_nan=False)
    assert '<table id="elites">' in report_html(run)
    ids = run.archive.elites.candidates[:2].tolist()
    for kind in sorted({*own_names("plots")} - {"small_multiples", "difference", "architecture"}):
        chosen = find_plot(kind)
        options = {"comparison": {"ids": ids}, "filling": {"frames": 3}}.get(kind, {})
        out = tmp_path / f"{kind}{chosen.formats[0]}"
        qd.plot(kind, run, out=out, **options)
        assert out.stat().st_size > 1000, kind


@pytest.mark.parametrize("objective", ["same", "lost", "huge", "denormal"])
def test_colours_reach_from_the_least_to_the_most(odd: Path, tmp_path: Path, objective: str) -> None:
    run = qd.open_run(odd)
    figure = qd.map(run, objective=objective, out=tmp_path / "map.svg")
    values = run.project((), objective).elites.objectives
    if not len(values):  # beyond ±1e300 there is no elite, which the picture says
        title = figure.axes[0].get_title(loc="left")
        assert "0 of 16 cells filled" in title
        assert title.endswith("huge beyond ±1e+300 is left out")
        return
    low, high = colours(figure)
    assert low < high
    assert ((values >= low) & (values <= high)).all()
    bar = figure.axes[1].get_ylabel()
    assert ("less is better" in bar) == (objective == "lost")


@pytest.mark.parametrize("score", ["same", "lost", "delay", "huge", "denormal"])
def test_learning_curves_of_them_can_be_drawn(odd: Path, tmp_path: Path, score: str) -> None:
    run = qd.open_run(odd)
    figure: Any = qd.plot("learning", run, objective=score, out=tmp_path / "learning.png")
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    values = run.learning_curves()[score].dropna().to_numpy(np.float64).clip(-1e300, 1e300)
    assert low <= values.min() <= values.max() <= high
    with LiveRun(odd).reading() as live:
        figure = learning_figure(curves_of(live), live.archive.objective, live.metrics)
    json.dumps(figure, allow_nan=False)


@pytest.mark.parametrize("measure", ["same", "huge", "denormal", "lost"])
def test_any_metric_may_be_an_axis(odd: Path, tmp_path: Path, measure: str) -> None:
    run = qd.open_run(odd)
    archive = run.project([measure, "usual"])
    qd.map(run, measures=[measure, "usual"], out=tmp_path / "map.png")
    values = run.elites(archive=archive)[measure].to_numpy(np.float64)
    edges = archive.axes[0].edges()
    assert (np.diff(edges) > 0).all()
    for value, cell in zip(values, run.elites(archive=archive)["cell"], strict=True):
        assert edges[cell[0]] <= value <= edges[cell[0] + 1]


def test_numbers_for_people_stay_short(odd: Path, qd_command: Any) -> None:
    answer = qd_command("show", odd)
    assert answer.status == 0
    assert max(map(len, answer.out.splitlines())) < 400
    assert "e+30" in answer.out
