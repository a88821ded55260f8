"""The commands, on a run that is finished."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import pytest

import qd


def test_show_json_has_the_promised_keys(finished, qd_command):
    answer = qd_command("show", finished, "--json")
    assert (answer.status, answer.err) == (0, "")
    data = json.loads(answer.out)
    assert list(data) == [
        "run",
        "state",
        "space",
        "evaluator",
        "chunk",
        "chunk_chosen",
        "evaluations",
        "duplicates",
        "screened",
        "archive",
        "best",
        "trainings",
        "seconds",
    ]
    assert list(data["evaluations"]) == ["ok", "invalid", "failed", "timed_out", "lost"]
    assert list(data["archive"]) == [
        "kind",
        "cells",
        "elites",
        "coverage",
        "qd_score",
        "normalised_qd_score",
        "objective",
        "objective_best",
        "measures",
        "outside",
    ]
    assert list(data["best"]) == ["id", "objective", "metrics", "genotype"]
    assert data["run"] == "finished"
    assert sum(data["evaluations"].values()) == 200
    assert data["archive"]["cells"] == 100
    assert data["archive"]["coverage"] == data["archive"]["elites"] / 100
    assert data["archive"]["objective_best"] == data["best"]["objective"] == data["best"]["metrics"]["score"]
    assert data["archive"]["normalised_qd_score"] == pytest.approx(data["archive"]["qd_score"] / 200)
    assert data["archive"]["measures"][0] == {
        "metric": "width",
        "low": 0,
        "high": 30,
        "bins": 10,
        "scale": "linear",
        "unit": "units",
    }
    assert data["seconds"] > 0


def test_show_says_the_same_to_people(finished, qd_command):
    data = qd.open_run(finished).summary()
    out = qd_command("show", finished).out
    assert f"{data['evaluations']['ok']} ok, {data['evaluations']['invalid']} invalid" in out
    assert f"{data['evaluations']['failed']} failed" in out
    assert f"{data['archive']['elites']} of 100 cells, coverage {data['archive']['coverage']:.1%}" in out
    assert f"(id {data['best']['id']})" in out


def test_elites_json(finished, qd_command):
    answer = qd_command("elites", finished, "--json")
    assert (answer.status, answer.err) == (0, "")
    rows = json.loads(answer.out)
    run = qd.open_run(finished)
    assert len(rows) == len(run.archive)
    assert set(rows[0]) == {
        "id",
        "evaluation",
        "cell",
        "objective",
        "metrics",
        "genotype",
        "parents",
        "operator",
    }
    assert [row["objective"] for row in rows] == sorted((row["objective"] for row in rows), reverse=True)
    by_cell = {tuple(row["cell"]): row for row in rows}
    for cell, elite in run.archive.elites.items():
        row = by_cell[run.archive.position(cell)]
        assert (row["id"], row["evaluation"]) == (elite.candidate, elite.evaluation)
        assert (row["objective"], row["genotype"]) == (elite.objective, elite.genotype)


def test_elites_sort_and_limit(finished, qd_command):
    rows = json.loads(qd_command("elites", finished, "--json", "--sort", "order", "--limit", 7).out)
    orders = [row["metrics"]["order"] for row in rows]
    assert len(orders) == 7
    assert orders == sorted(orders)  # `order` is minimised: the best first
    everything = json.loads(qd_command("elites", finished, "--json").out)
    assert orders == sorted(row["metrics"]["order"] for row in everything)[:7]
    assert json.loads(qd_command("elites", finished, "--json", "--limit", 0).out) == []


def test_elites_csv(finished, qd_command):
    answer = qd_command("elites", finished, "--csv", "--where", "score > 1.5")
    assert (answer.status, answer.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    expected = json.loads(qd_command("elites", finished, "--json", "--where", "score > 1.5").out)
    assert [int(row["id"]) for row in rows] == [row["id"] for row in expected]
    assert [float(row["score"]) for row in rows] == [row["objective"] for row in expected]
    assert json.loads(rows[0]["genotype"]) == expected[0]["genotype"]
    assert json.loads(rows[0]["cell"]) == expected[0]["cell"]


def test_elites_for_people(finished, qd_command):
    answer = qd_command("elites", finished, "--limit", 3)
    lines = answer.out.splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["id", "cell", "score", "width", "height", "order", "architecture"]
    best = qd.open_run(finished).archive.best
    assert best is not None
    assert lines[1].split()[0] == str(best.candidate)
    assert qd_command("elites", finished, "--where", "score > 100").out == "no elites match\n"


def test_elites_refuses_unknown_metrics_and_two_formats(finished, qd_command):
    answer = qd_command("elites", finished, "--sort", "scor")
    assert answer.status == 2
    assert "--sort: no metric 'scor' was logged; did you mean 'score'?" in answer.err
    answer = qd_command("elites", finished, "--json", "--csv")
    assert answer.status == 2
    assert "--json and --csv exclude each other" in answer.err


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_map_writes_pictures(finished, qd_command, tmp_path, ending):
    out = tmp_path / f"map.{ending}"
    answer = qd_command("map", finished, "--out", out)
    assert (answer.status, answer.out) == (0, "")
    assert f"{len(qd.open_run(finished).archive)} elites drawn: {out}" in answer.err
    signature = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert out.read_bytes().startswith(signature)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_map_over_other_metrics(finished, qd_command, tmp_path):
    out = tmp_path / "map.svg"
    answer = qd_command("map", finished, "--out", out, "--measures", "order, height", "--objective", "width")
    projected = qd.open_run(finished).project(["order", "height"], "width")
    assert answer.status == 0
    assert f"{len(projected)} elites drawn" in answer.err
    assert qd_command("map", finished, "--out", out, "--measures", "order").status == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "map.gif"], "--out map.gif: expected a file that ends in .png, .svg, .pdf"),
        (["--out", "nowhere/map.png"], "--out nowhere/map.png: there is no folder nowhere"),
        (["--out", "map.png", "--measures", "widht"], "no metric 'widht' was logged; did you mean 'width'?"),
        (["--out", "map.png", "--measures", "width,width"], "expected different measures, got width, width"),
        (["--out", "map.png", "--measures", "width,height,order"], "a map has one or two axes, got 3"),
        (["--out", "map.png", "--objective", "x"], "no metric 'x' was logged; known: height, order, score, width"),
    ],
)
def test_map_refuses(finished, qd_command, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    answer = qd_command("map", finished, *words)
    assert answer.status == 2
    assert message in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_written_is_told(finished, qd_command, tmp_path):
    (tmp_path / ".map.png.tmp").mkdir()
    answer = qd_command("map", finished, "--out", tmp_path / "map.png")
    assert answer.status == 1
    assert answer.err.startswith("qd: ")
    assert "map.png" in answer.err
    assert "Traceback" not in answer.err


def test_looking_imports_no_plug_in(finished, qd_command, tmp_path):
    run = qd.open_run(finished)
    module = run.config.space.kind.partition(":")[0]
    sys.modules.pop(module, None)  # the fixture's own search imported it
    assert not Path(run.meta("plugin_folder"), f"{module}.py").exists()
    for words in (
        ["show", finished],
        ["elites", finished],
        ["map", finished, "--out", tmp_path / "map.png"],
        ["export", finished, "--best", "--to", tmp_path / "exported"],
    ):
        assert qd_command(*words).status == 0
        assert module not in sys.modules


@pytest.mark.parametrize("command", ["show", "elites"])
def test_a_folder_that_is_no_run_is_told(qd_command, tmp_path, command):
    answer = qd_command(command, tmp_path)
    assert answer.status == 2
    assert f"{tmp_path} is no run folder: expected log.sqlite in it" in answer.err


def test_spaces_modules_and_evaluators_are_listed(qd_command):
    spaces = qd_command("spaces")
    assert (spaces.status, spaces.err) == (0, "")
    assert any(line.split()[:5] == ["sparse_moe", "width", "8", "|", "12"] for line in spaces.out.splitlines())
    modules = qd_command("modules")
    assert (modules.status, modules.err) == (0, "")
    assert any(line.split()[:3] == ["attention", "tokens", "Softmax"] for line in modules.out.splitlines())
    evaluators = qd_command("evaluators")
    assert (evaluators.status, evaluators.err) == (0, "")
    line = next(line for line in evaluators.out.splitlines() if line.startswith("supervised: "))
    assert "val_accuracy" in line and "val_r2" in line
    assert "active_parameters" in line
    assert "outside: what the run file declares" in evaluators.out.splitlines()


def test_run_and_resume_keep_stdout_clean(workbench, qd_command):
    answer = qd_command("run", workbench.write(), "budget.evaluations=40", "--out", "run")
    assert (answer.status, answer.out) == (0, "")
    assert f"importing {workbench.module}:Space from {workbench.folder}" in answer.err
    assert "40 evaluations" in qd.open_run("run").__repr__()
    assert "map: run/pictures/map.png" in answer.err
    assert "next: qd elites run --limit 10" in answer.err
    answer = qd_command("resume", "run", "budget.evaluations=80")
    assert (answer.status, answer.out) == (0, "")
    assert qd.open_run("run").count == 80
    answer = qd_command("resume", "run", "search.seed=80")
    assert answer.status == 2
    assert "search is fixed" in answer.err


def test_an_exhausted_space_is_said(workbench, qd_command):
    answer = qd_command("run", workbench.write(space={"side": 4}), "--out", "run")
    assert answer.status == 0
    assert "the space is exhausted" in answer.err


def test_a_run_whose_evaluations_all_fail_shows_why(workbench, qd_command):
    answer = qd_command("run", workbench.write(evaluator={"failing": 1.0}), "--out", "run")
    assert answer.status == 1
    assert "evaluations all failed" in answer.err
    assert "RuntimeError: no luck today" in answer.err
    assert "qd resume run" in answer.err


def test_a_run_without_elites_can_be_looked_at(workbench, qd_command, tmp_path):
    qd.run(workbench.write(evaluator={"failing": 1.0}), out="run", budget={"evaluations": 8})
    assert json.loads(qd_command("show", "run", "--json").out)["best"] is None
    assert "no elite yet" in qd_command("show", "run").out
    assert json.loads(qd_command("elites", "run", "--json").out) == []
    assert qd_command("elites", "run").out == "no elites yet\n"
    assert qd_command("elites", "run", "--csv").out.startswith("id,")
    assert qd_command("elites", "run", "--where", "score > 1").status == 0
    assert qd_command("map", "run", "--out", "map.png").status == 0
    assert qd_command("map", "run", "--out", "other.png", "--measures", "order").status == 0
    answer = qd_command("export", "run", "--best", "--to", "exported")
    assert answer.status == 2
    assert "no elite yet" in answer.err


def test_a_moved_run_is_still_a_run(finished, qd_command, tmp_path):
    shutil.copytree(finished, tmp_path / "a name with spaces & ünicode?#")
    answer = qd_command("show", tmp_path / "a name with spaces & ünicode?#", "--json")
    assert json.loads(answer.out)["run"] == "a name with spaces & ünicode?#"
