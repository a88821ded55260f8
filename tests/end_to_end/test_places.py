"""Places in run files are relative to the run file, and a run goes on from anywhere."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.runs.verify import verify

READER = """
from pathlib import Path
from evaluators import Metric, SingleEvaluator
from search_spaces import Real, SearchSpace, Struct


class Space(SearchSpace):
    genes = Struct(x=Real(0, 1))


class Reader(SingleEvaluator):
    metrics = {"score": Metric(low=0, high=9), "x": Metric(low=0, high=1)}

    def __init__(self, table: Path, spare: Path | None = None, title: str = ""):
        self.table, self.spare, self.title = table, spare, title
        self.factor = float(table.read_text())

    def evaluate_one(self, genotype, seed):
        return {"score": self.factor * float(self.table.read_text()) * genotype["x"], "x": genotype["x"]}
"""
RUN_FILE = """
space: {kind: "reader_of_tables:Space"}
evaluator: {kind: "reader_of_tables:Reader", table: data/table.txt, title: data/table.txt}
archive: {objective: score, measures: [{metric: x, low: 0, high: 1, bins: 4}]}
budget: {evaluations: 16}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "table.txt").write_text("2")
    (folder / "run.yaml").write_text(RUN_FILE)
    (folder / "reader_of_tables.py").write_text(READER)
    (tmp_path / "elsewhere").mkdir()
    return folder


def test_a_run_file_names_places_from_its_own_folder(project, tmp_path):
    with contextlib.chdir(tmp_path):
        run = qd.run("project/run.yaml", out="run")
    recorded = run.config.evaluator.arguments
    assert recorded == {"table": str(project / "data" / "table.txt"), "title": "data/table.txt"}
    assert run.meta("places_as_given") == {"evaluator.table": "data/table.txt"}
    with contextlib.chdir(tmp_path / "elsewhere"):
        assert qd.resume("../run", budget={"evaluations": 24}).count == 24
        assert len(verify("../run", top=1, seeds=1).elites) == 1
        assert qd.run("../run/run.yaml", out="again", plugins="../project").count == 24


@pytest.mark.parametrize(
    "typed", [{"overrides": ["evaluator.table=here.txt"]}, {"evaluator": {"table": "here.txt"}}], ids=str
)
def test_what_a_person_types_is_relative_to_where_they_stand(project, tmp_path, typed: dict[str, Any]):
    (tmp_path / "elsewhere" / "here.txt").write_text("1")
    with contextlib.chdir(tmp_path / "elsewhere"):
        run = qd.run("../project/run.yaml", out="run", **typed)
    assert run.config.evaluator.arguments["table"] == str(tmp_path / "elsewhere" / "here.txt")
    assert run.meta("places_as_given") == {"evaluator.table": "here.txt"}


def test_of_a_library_and_of_data_sets(tmp_path):
    from qd.config import load
    from qd.registry import Registry

    (tmp_path / "run.yaml").write_text(
        "space: {kind: module_library, library: modules}\n"
        "evaluator:\n"
        "  kind: task_stream\n"
        "  tasks: [{data: {kind: mnist, folder: ~/mnist}}, {data: digits}, {data: {kind: mnist, folder: /mnist}}]\n"
        "archive: {objective: val_loss, measures: [{metric: macs, low: 0, high: 9}]}\n"
        "budget: {evaluations: 5}\n"
    )
    config = load(tmp_path / "run.yaml", kinds=Registry())
    assert config.space.arguments == {"library": str(tmp_path / "modules")}
    data = [task["data"] for task in config.evaluator.arguments["tasks"]]
    home = str(Path.home() / "mnist")
    assert data == [{"kind": "mnist", "folder": home}, "digits", {"kind": "mnist", "folder": "/mnist"}]
