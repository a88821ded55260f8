"""From a run file to a folder, and from Python."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import yaml

import qd
from qd.errors import UsageError
from qd.testing.toys import copy_toy

BAD = {
    "budget.evalutions=5": r"budget\.evalutions: unknown key; did you mean 'evaluations'\?",
    "bugdet.evaluations=5": r"bugdet: unknown key; did you mean 'budget'\?",
    "budget.evaluations=many": r"budget\.evaluations: input should be a valid integer, got 'many'",
    "budget.evaluations=0": r"budget\.evaluations: .*greater than or equal to 1, got 0",
    "archive.measures[0].low=40": r"archive\.measures\[0\]: low must be below high, got low=40 and high=30",
    "archive.measures[0].metric=widht": r"archive\.measures\[0\]\.metric: no metric 'widht' .*did you mean 'width'",
    "archive.objective=scor": r"archive\.objective\.metric: no metric 'scor' is reported; did you mean 'score'",
    "archive.measures[0].scale=log": r"archive\.measures\[0\]: a logarithmic axis starts above 0, got low=0",
    "archive.kind=gird": r"archive\.kind: unknown Archive 'gird'; did you mean 'grid'",
    "search.order=random": r"search\.order: input should be 'arrival' or 'id', got 'random'",
    "emitters[0].kind=map_elite": r"emitters\[0\]\.kind: unknown Emitter 'map_elite'; did you mean 'map_elites'",
    "emitters[0].inital=3": r"emitters\[0\]\.inital: unknown key",
    "executor.kind=cloud": r"executor\.kind: unknown Executor 'cloud'",
    "executor.workers=4": r"executor\.workers: unknown key",
    "space.kind=sparse_mo": r"space\.kind: unknown SearchSpace 'sparse_mo'; did you mean 'sparse_moe'",
    "space.size=3": r"space\.size: unknown key",
    "space.side=big": r"space\.side: input should be a valid integer, got 'big'",
    "space.kind=nowhere:Space": r"space\.kind: expected the plug-in 'nowhere' at .*nowhere\.py, found nothing there",
    "evaluator.failing=[1]": r"evaluator\.failing: input should be a valid number",
    "evaluator.failling=0.5": r"evaluator\.failling: unknown key; did you mean 'failing'",
}


@pytest.mark.parametrize("change", BAD)
@pytest.mark.parametrize("out", [None, "out"])
def test_bad_input_is_refused_at_the_door(workbench, qd_command, change, out):
    file = workbench.write()
    before = sorted(workbench.folder.iterdir())
    answer = qd_command("run", file, change, *(["--out", out] if out else []))
    assert answer.status == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert answer.err.startswith(f"qd: {file}: ")
    with pytest.raises(UsageError, match=BAD[change]):
        raise UsageError(answer.err)
    assert [path for path in sorted(workbench.folder.iterdir()) if path.name != "__pycache__"] == before


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        ({"wrokers": 2}, r"run\.yaml: executor\.wrokers: unknown key; did you mean 'workers'"),
        ({"chunk": 2}, r"executor\.chunk: under `order: id` the log depends on what is evaluated together"),
    ],
)
def test_a_cluster_is_not_started_for_keys_that_do_not_fit(workbench, executor, message):
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(executor={"kind": "ray", **executor}), out="run")
    assert not (workbench.folder / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("space: [", "run.yaml: not valid YAML"),
        ("- 1\n- 2", "run.yaml: expected keys such as space"),
        ("space: {kind: sparse_moe}\nspace: {kind: sparse_moe}", "key 'space' stands twice"),
        ("", "run.yaml: expected keys such as space"),
        ("budget: {evaluations: 3}", "run.yaml: space: this key is missing"),
    ],
)
def test_a_file_that_is_no_run_file_is_refused(workbench, qd_command, text, message):
    file = workbench.folder / "run.yaml"
    file.write_text(text)
    answer = qd_command("run", file)
    assert answer.status == 2
    assert message in answer.err
    assert not Path("results").exists()


def test_no_such_file_is_told(workbench, qd_command):
    answer = qd_command("run", "nowhere.yaml")
    assert answer.status == 2
    assert "nowhere.yaml: no such file" in answer.err


@pytest.mark.parametrize("name", ["Score", "2nd", "a-b", "x" * 64, "", "id", "objective"])
def test_a_metric_name_that_is_not_allowed_is_refused(workbench, name):
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(text.replace('"score": Metric', f'"{name}": Metric'))
    with pytest.raises(UsageError, match=rf"run\.yaml: evaluator: metric name {name!r} is (not allowed|taken)"):
        qd.run(workbench.write(archive={"objective": name}))
    assert not Path("results").exists()


@pytest.mark.parametrize("what", ["a run", "another folder", "a file"])
def test_what_is_there_is_never_overwritten(workbench, digests, what):
    file = workbench.write()
    target = workbench.folder / "there"
    if what == "a run":
        qd.run(file, out=target)
        message = "there exists and is never overwritten; go on with: qd resume .*there"
    elif what == "another folder":
        target.mkdir()
        (target / "thesis.txt").write_text("three years of work")
        message = "there exists and is never overwritten; choose another `out`"
    else:
        target.write_text("three years of work")
        message = "there exists and is never overwritten; choose another `out`"
    before = digests(workbench.folder)
    with pytest.raises(UsageError, match=message):
        qd.run(file, out=target)
    assert digests(workbench.folder) == before


def test_a_folder_that_cannot_be_made_is_told(workbench):
    (workbench.folder / "file").touch()
    with pytest.raises(UsageError, match=r"file/run: cannot be made .*choose another place: `out`"):
        qd.run(workbench.write(), out=workbench.folder / "file" / "run")


def test_without_out_a_run_takes_the_first_free_number(workbench):
    file = workbench.write("first.yaml", budget={"evaluations": 4})
    assert qd.run(file).folder.path == Path("results/first-001")
    assert qd.run(file).folder.path == Path("results/first-002")
    Path("results/first-004").mkdir()
    assert qd.run(file).folder.path == Path("results/first-003")
    assert qd.run(file).folder.path == Path("results/first-005")


def test_the_folder_holds_what_made_it(workbench):
    run = qd.run(workbench.write(), out="run", budget={"evaluations": 20})
    names = {path.name for path in run.folder.path.iterdir()}
    assert names == {".lock", "run.yaml", "environment.json", "log.sqlite", "weights", "pictures"}
    written = yaml.safe_load(run.folder.run_file.read_text())
    assert written["budget"]["evaluations"] == 20
    assert written["search"]["chunk"] == 4
    environment = json.loads(run.folder.environment.read_text())
    assert environment.keys() == {"time", "machine", "versions", "git", "host"}
    assert {"python", "torch", "ribs", "numpy"} <= environment["versions"].keys()
    again = qd.run(run.folder.run_file, out="again", plugins=workbench.folder)
    assert again.config == run.config
    assert again.archive.elites == run.archive.elites


def test_overrides_from_python_are_keywords_or_strings(workbench):
    file = workbench.write()
    keywords = qd.run(file, out="a", budget={"evaluations": 12}, search={"seed": 9})
    strings = qd.run(file, out="b", overrides=["budget.evaluations=12", "search.seed=9"])
    both = qd.run(file, out="c", overrides=["budget.evaluations=12"], search={"seed": 9})
    assert keywords.config == strings.config == both.config
    assert keywords.count == 12
    assert keywords.config.search.chunk == 4  # what stands beside the changed key stays


def rows(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def cell_of(row: dict[str, Any]) -> tuple[int, int]:
    return min(int(row["width"] // 3), 9), min(int(row["height"] // 3), 9)


def test_frames_agree_with_the_log(workbench):
    qd.run(workbench.write(evaluator={"failing": 0.1}), out="run")
    run = qd.open_run("run")
    told = rows(run.evaluations())
    assert len(told) == run.count == 200
    statuses = Counter(row["status"] for row in told)
    assert statuses == {status: count for status, count in run.summary()["evaluations"].items() if count}
    elites = rows(run.elites())
    assert len(elites) == len(run.archive) == run.summary()["archive"]["elites"]
    ok = {row["evaluation"]: row for row in told if row["status"] == "ok"}
    best: dict[tuple[int, int], float] = {}
    for row in ok.values():
        best[cell_of(row)] = max(row["score"], best.get(cell_of(row), 0.0))
    assert [row["score"] for row in elites] == sorted(best.values(), reverse=True)
    for row in elites:
        assert {name: row[name] for name in run.metrics} == {name: ok[row["evaluation"]][name] for name in run.metrics}
        assert row["objective"] == row["score"] == best[row["cell"]]
        assert row["cell"] == cell_of(row)
        assert row["genotype"]["x"] == row["width"]
        assert row["operator"] in ("sample", "mutation", "crossover")
        assert len(row["parents"]) == {"sample": 0, "mutation": 1, "crossover": 2}[row["operator"]]
        assert all(parent < row["id"] for parent in row["parents"])
    assert elites[0]["id"] == run.summary()["best"]["id"]


def test_a_projection_is_a_fold_over_the_evaluations(workbench):
    run = qd.run(workbench.write(), out="run")
    archive = run.project(["order", "width"], "height")
    ok = [row for row in rows(run.evaluations()) if row["status"] == "ok"]
    order, width = archive.axes
    orders = [row["order"] for row in ok]
    assert (order.low, order.high) == (min(orders), max(orders))
    assert (width.low, width.high, width.bins) == (0, 30, 10)  # the run's own axis keeps its range
    expected: dict[tuple[int, ...], tuple[float, int]] = {}
    for row in sorted(ok, key=lambda row: (row["tell"], row["evaluation"])):
        cell = []
        for axis in archive.axes:
            low, high, position = axis.position(np.array([axis.low, axis.high, row[axis.metric]]))
            cell.append(min(int((position - low) / (high - low) * axis.bins + 1e-9), axis.bins - 1))
        if tuple(cell) not in expected or row["height"] > expected[tuple(cell)][0]:
            expected[tuple(cell)] = (row["height"], row["evaluation"])
    got = {archive.position(cell): (elite.objective, elite.evaluation) for cell, elite in archive.elites.items()}
    assert got == expected
    assert len(run.elites(archive=archive)) == len(expected)


def test_a_run_says_what_it_is(workbench):
    run = qd.run(workbench.write(), out="run")
    assert repr(run).startswith("Run('run': 200 evaluations, GridArchive(width (10) × height (10): ")


def test_a_run_is_quiet_in_python(workbench, capsys, caplog):
    with caplog.at_level(logging.INFO):
        qd.run(workbench.write(), out="run").elites()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    ["executor=inline", "executor.kind=inline", "executor={kind: inline}", {"kind": "inline"}, "inline"],
    ids=str,
)
def test_a_resume_leaves_an_executor_with_its_keys(workbench, change):
    copy_toy("rings", workbench.folder, "rings_to_leave")
    executor = {"kind": "rings_to_leave:LastFirst", "ahead": 2}
    qd.run(workbench.write(executor=executor, budget={"evaluations": 20}), out="run")
    if isinstance(change, str) and change.startswith("executor"):
        run = qd.resume("run", overrides=[change, "budget.evaluations=40"])
    else:
        run = qd.resume("run", executor=change, budget={"evaluations": 40})
    assert run.count == 40
    assert run.config.executor.model_dump() == {"kind": "inline"}
