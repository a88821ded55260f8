"""What the figures of the dashboard say, as plain data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.utils import PlotlyJSONEncoder

import qd
from qd.analysis.learning_curves import curves_of
from qd.analysis.spread import measured
from qd.archives import Axis, GridArchive, Objective
from qd.dashboard import figures, pages
from qd.dashboard.elite import panel
from qd.dashboard.live import LiveRun
from qd.dashboard.preview import preview
from qd.dashboard.results import Results

ARCHIVES = {
    "grid": {},
    "one axis": {"measures": [{"metric": "width", "low": 0, "high": 30, "bins": 4}]},
    "clipped": {"measures": [{"metric": "width", "low": 10, "high": 20, "bins": 4}], "outside": "clip"},
    "log": {"measures": [{"metric": "order", "low": 1, "high": 60, "bins": 4, "scale": "log"}]},
    "cvt": {"kind": "cvt", "cells": 12, "samples": 200},
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_tooltip_says_what_the_candidate_has_and_not_its_cell(workbench: Any, name: str) -> None:
    qd.run(workbench.write(archive=ARCHIVES[name], budget={"evaluations": 30}), out="run")
    live = LiveRun(Path("run"))
    with live.reading() as run:
        archive = live.archive(live.default_view())
        figure = figures.map_figure(archive, live.metrics(archive))
        rows = {row["id"]: row for row in run.elites().to_dict("records")}
    cells = figure["data"][0]
    ids, texts = np.ravel(np.array(cells["customdata"], dtype=object)), np.ravel(cells["text"])
    told = {id: text for id, text in zip(ids, texts, strict=True) if id is not None}
    assert told.keys() == rows.keys()
    assert cells["hovertemplate"].startswith("%{text}")
    for id, text in told.items():
        shown = dict(line.rsplit(" ", 1) for line in text.split("<br>")[1:])
        assert shown == {n: f"{rows[id][n]:.5g}" for n in ("score", *(axis.metric for axis in archive.axes))}


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5], [-3.0, -1.0], [1e300, -1e300], [0.0]])
@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_colours_tell_good_from_bad_whatever_the_values(values: list[float], direction: str) -> None:
    archive = GridArchive(Objective("q", direction, -1, 1, ""), [Axis("x", 0, 1, 4, "linear", "")])
    x = np.arange(len(values)) / 4
    archive.add(range(len(values)), range(len(values)), {"q": np.array(values), "x": x}, [None] * len(values))
    cells = figures._grid(archive, [""] * len(values), np.ones(len(values), bool), False)
    assert cells["zmin"] < cells["zmax"] < np.inf
    assert all(cells["zmin"] <= value <= cells["zmax"] for value in values)
    assert cells["reversescale"] == (direction == "minimise")
    assert ("more" if direction == "maximise" else "less") in cells["colorbar"]["title"]["text"]
    assert (preview(archive) or "").startswith("data:image/svg+xml")


def test_a_list_of_runs_counts_the_cells_of_a_refined_archive_once(workbench: Any) -> None:
    refine = {"refine": [{"evaluations": 20, "bins": 20}, {"evaluations": 40, "bins": 40}]}
    run = qd.run(workbench.write(archive=refine, budget={"evaluations": 60}), out="results/run")
    (row,) = Results(Path("results")).rows()
    assert row.elites == len(run.archive)
    assert run.archive.best is not None and row.best == run.archive.best.objective


@pytest.fixture
def repeated(workbench: Any) -> qd.Run:
    """A run in which elites are evaluated again, and so are not as good as their luckiest evaluation says."""
    search = {"noise": "reevaluate", "order": "id", "chunk": 4}
    return qd.run(workbench.write(search=search, space={"side": 8}, budget={"evaluations": 150}), out="results/run")


def test_luck_is_shown_nowhere_where_means_decide(repeated: qd.Run) -> None:
    archive = repeated.archive
    best = archive.best
    assert best is not None
    lucky = repeated.query("SELECT MAX(results.score) FROM results")[0][0]
    assert lucky > best.objective
    (row,) = Results(Path("results")).rows()
    assert (row.elites, row.best) == (len(archive), best.objective)
    live = LiveRun(Path("results/run"))
    with live.reading():
        np.testing.assert_allclose(live.metrics(live.archive(live.default_view()))["score"], archive.elites.objectives)
    often = max(archive.elites.candidates.tolist(), key=lambda id: measured(repeated, [id])[id]["score"].seeds)
    spread = measured(repeated, [often])[often]["score"]
    elite = next(elite for elite in archive.elites.values() if elite.candidate == often)
    assert spread.seeds > 1
    assert spread.mean == pytest.approx(elite.objective)
    network = repeated.network(often)
    assert (network.metrics["score"], network.samples) == (spread.mean, spread.seeds)
    assert f"means of {spread.seeds} evaluations" in str(network._repr_html_())
    family = {one.id: one.objective for one in network.lineage()}
    assert family[often] == pytest.approx(elite.objective)
    shown = str(panel(repeated, often, None, None))
    assert f"mean of {spread.seeds} evaluations ± deviation" in shown
    assert f"{spread.mean:.5g} ± {spread.deviation:.2g}" in shown
    compared = qd.plot("comparison", repeated, ids=[often, archive.elites.candidates.tolist()[0]])
    assert f"{spread.mean:.5g}" in str(compared)


def test_learning_curves_are_lines_with_gaps_those_of_elites_in_front(workbench: Any) -> None:
    file = workbench.write(evaluator={"kind": f"{workbench.module}:Trained"}, budget={"evaluations": 60})
    qd.run(file, out="run")
    live = LiveRun(Path("run"))
    with live.reading() as run:
        page = json.dumps(pages.run_page("run", live, run), cls=PlotlyJSONEncoder)
        figure = figures.learning_figure(live.once(curves_of), run.archive.objective, run.metrics)
    assert page.count("Learning curves") == 1 and "learning-place" in page
    *lines, scale = figure["data"]
    frame = run.learning_curves()
    assert lines[0]["line"]["color"] == figures.FADED
    assert len({one["line"]["color"] for one in lines}) == len(lines) > 5
    for group, elite in ((lines[:1], False), (lines[1:], True)):
        drawn = [value for one in group for value in one["y"] if value is not None]
        assert sorted(drawn) == sorted(frame["score"][frame["elite"] == elite])
        assert sum(one["x"].count(None) for one in group) == len(drawn) / 5, "a gap after each"
    assert (scale["marker"]["cmin"], scale["marker"]["cmax"]) == (
        frame["score"][frame["epoch"] == 5].min() / (1 - 0.5**5),
        frame["score"][frame["epoch"] == 5].max() / (1 - 0.5**5),
    )


def test_a_run_without_learning_curves_has_no_place_for_them(workbench: Any) -> None:
    qd.run(workbench.write(budget={"evaluations": 10}), out="run")
    live = LiveRun(Path("run"))
    with live.reading() as run:
        assert "learning-place" not in json.dumps(pages.run_page("run", live, run), cls=PlotlyJSONEncoder)
