"""Which genes and modules decide a metric, from a log."""

import json
import sqlite3
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import qd
from qd.analysis.importance import FEWEST, importance
from qd.candidates import Status
from qd.errors import UsageError
from qd.plots.importance import importance_figure


def test_genes_are_ranked_by_what_they_decide(finished: Path) -> None:
    run = qd.open_run(finished)
    ranking = importance(run, "width", bootstraps=5)  # in the workbench's table, width is x
    assert ranking.genes[0].name == "x"
    first, *others = ranking.genes
    assert first.total.low > 0.9
    assert all(one.total.high < 0.1 for one in others)
    assert (first.column, first.correlation) == ("x", pytest.approx(1))
    assert ranking.explained.mean > 0.9
    assert ranking.candidates == run.counts[Status.OK]


def test_the_objective_is_the_default_and_options_are_named(finished: Path) -> None:
    ranking = importance(qd.open_run(finished), bootstraps=5)
    assert ranking.metric == "score"  # luck, and 1 for red
    assert ranking.genes[0].name == "colour"
    assert ranking.genes[0].column in ("colour=red", "colour=blue")
    assert abs(ranking.genes[0].correlation or 0) > 0.5


def test_equal_calls_give_equal_answers(finished: Path) -> None:
    run = qd.open_run(finished)
    assert importance(run, bootstraps=3) == importance(run, bootstraps=3)
    assert importance(run, bootstraps=3, seed=1) != importance(run, bootstraps=3)


def test_no_plug_in_is_needed(workbench) -> None:
    workbench.search("run")
    workbench.plugin.unlink()
    workbench.forget()
    assert importance(qd.open_run("run"), "height", bootstraps=3).genes[0].name == "y"


def test_what_cannot_be_ranked_is_refused(workbench, finished: Path) -> None:
    run = qd.open_run(finished)
    with pytest.raises(UsageError, match=r"no metric 'widht' was logged.*did you mean 'width'"):
        importance(run, "widht")
    with pytest.raises(UsageError, match="`bootstraps`: expected at least 2, got 1"):
        importance(run, bootstraps=1)
    workbench.search("small", budget={"evaluations": 12})
    with pytest.raises(UsageError, match=rf"candidates have a score; importance needs {FEWEST} of them at least"):
        importance(qd.open_run("small"))
    workbench.search("same", budget={"evaluations": 60})
    with sqlite3.connect("same/log.sqlite") as log:
        log.execute("UPDATE results SET width = 3")
    with pytest.raises(UsageError, match="width is 3 for every candidate; nothing decides it"):
        importance(qd.open_run("same"), "width")


def test_an_accepted_log_is_refused(cheap) -> None:
    run = qd.run(cheap(log="accepted"), out="run")
    with pytest.raises(UsageError, match="the log keeps what entered the archive, which says nothing of what is bad"):
        importance(run)


def test_the_picture_has_a_panel_for_each_list(finished: Path) -> None:
    ranking = importance(qd.open_run(finished), "order", bootstraps=3)  # x + y
    figure = importance_figure(ranking, "a $run$")
    assert isinstance(figure, Figure)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [one.name for one in ranking.genes]
    bars = [patch.get_bbox().width for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert bars == pytest.approx([one.total.mean for one in ranking.genes])


def test_the_command_prints_and_draws(finished: Path, tmp_path: Path, qd_command) -> None:
    out = tmp_path / "importance.svg"
    answer = qd_command("importance", finished, "--metric", "order", "--bootstraps", "3", "--out", out)
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert lines[0].startswith("order: ")
    assert {lines[2].split()[0], lines[3].split()[0]} == {"x", "y"}
    assert out.read_text().startswith("<?xml")
    data = json.loads(qd_command("importance", finished, "--bootstraps", "3", "--json").out)
    assert data["metric"] == "score"
    assert set(data["genes"][0]["total"]) == {"mean", "low", "high"}


def test_a_picture_that_cannot_be_written_is_told_before_anything_is_computed(finished: Path, qd_command) -> None:
    answer = qd_command("importance", finished, "--out", "importance.txt")
    assert answer.status == 2
    assert "--out importance.txt: expected a file that ends in .png, .svg, .pdf" in answer.err
