"""What is known before an evaluation: asked once, used to screen, and held against what is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qd
from evaluators import Evaluator
from qd.archives import Axis, GridArchive, Objective
from qd.errors import QdError
from qd.search.known import Known
from search_spaces import Integer, Metric, SearchSpace, Struct

METRICS = {"score": Metric("", 0, 1), "x": Metric(), "y": Metric(), "t": Metric(time=True)}


class Numbers(SearchSpace):
    genes = Struct(x=Integer(0, 9), y=Integer(0, 9))


class Knowing(Evaluator):
    """Knows x; fails over candidates whose y is 7."""

    metrics = METRICS

    def __init__(self) -> None:
        self.asked: list[int] = []

    def known(self, genotypes, names):
        self.asked.append(len(genotypes))
        if any(one["y"] == 7 for one in genotypes):
            raise SystemExit("no")
        columns = {"x": np.array([one["x"] for one in genotypes], float), "t": np.zeros(len(genotypes))}
        return {name: columns[name] for name in names if name in columns}

    def evaluate(self, candidates):
        raise NotImplementedError


@pytest.fixture
def knowing() -> tuple[Knowing, Known]:
    evaluator = Knowing()
    return evaluator, Known(Numbers(), evaluator, METRICS)


def test_an_architecture_is_asked_for_once(knowing: tuple[Knowing, Known]) -> None:
    evaluator, known = knowing
    genotypes = [{"x": 1, "y": 1}, {"x": 2, "y": 1}, {"x": 1, "y": 1}]
    assert known(genotypes, ["x", "y"])["x"].tolist() == [1, 2, 1]
    assert "y" not in known(genotypes, ["x", "y"])
    assert evaluator.asked == [2]
    assert known([{"x": 1, "y": 1}], ["x"])["x"].tolist() == [1]
    assert evaluator.asked == [2]


def test_who_fails_over_one_candidate_knows_the_others(knowing: tuple[Knowing, Known]) -> None:
    _, known = knowing
    found = known([{"x": 1, "y": 1}, {"x": 2, "y": 7}, {"x": 3, "y": 1}], ["x"])["x"]
    np.testing.assert_array_equal(found, [1, np.nan, 3])


@pytest.mark.parametrize("given", [{"x": [np.inf, 2.0]}, {"x": [1.0, 2.0, 3.0]}, {"x": "many"}, None, {"z": [1, 2]}])
def test_what_is_no_number_for_each_is_not_known(given: Any) -> None:
    class Odd(Knowing):
        def known(self, genotypes, names):
            return given

    found = Known(Numbers(), Odd(), METRICS)([{"x": 1, "y": 1}, {"x": 2, "y": 1}], ["x"])
    assert np.isnan(found["x"][0]) if found else True
    assert len(found.get("x", [0, 0])) == 2


def test_what_is_known_to_lie_outside(knowing: tuple[Knowing, Known]) -> None:
    _, known = knowing
    axes = [Axis("x", 2, 5, 3, "linear", ""), Axis("y", 0, 1, 3, "linear", "")]
    genotypes = [{"x": x, "y": y} for x, y in ((1, 0), (2, 0), (5, 9), (6, 0), (9, 7))]
    archive = GridArchive(Objective("score", "maximise", 0, 1, ""), axes)
    assert known.outside(genotypes, archive).tolist() == [True, False, False, True, False]
    clipping = GridArchive(Objective("score", "maximise", 0, 1, ""), axes, "clip")
    assert not known.outside(genotypes, clipping).any()


def test_what_differs_is_named_with_both_values(knowing: tuple[Knowing, Known]) -> None:
    _, known = knowing
    genotypes = [{"x": 1, "y": 1}, {"x": 2, "y": 7}, {"x": 3, "y": 1}]
    reported = {"x": np.array([1 + 1e-9, 5, 4.0]), "t": np.full(3, 9.0)}
    texts = known.contradicted(genotypes, ["x", "t"], reported)
    assert texts[:2] == ["", ""]
    assert texts[2].startswith("x: 3.0 was known before the evaluation, which reports 4.0; ")


def test_nothing_is_asked_of_whom_knows_nothing() -> None:
    class Silent(Evaluator):
        metrics = METRICS

        def evaluate(self, candidates):
            raise NotImplementedError

    known = Known(Numbers(), Silent(), METRICS)
    assert known.nothing
    assert known([{"x": 1, "y": 1}], ["x"]) == {}


PLUGIN = """
import numpy as np
from evaluators import SingleEvaluator
from search_spaces import Integer, Metric, SearchSpace, Struct

class Numbers(SearchSpace):
    genes = Struct(x=Integer(0, 19), y=Integer(0, 19))

class Table(SingleEvaluator):
    metrics = {"score": Metric("", 0, 1), "x": Metric(), "y": Metric()}

    def __init__(self, lie: int = 100):
        self.lie = lie

    def known(self, genotypes, names):
        columns = {"x": [float(one["x"] + (one["x"] >= self.lie)) for one in genotypes]}
        return {name: np.array(columns[name]) for name in names if name in columns}

    def evaluate_one(self, genotype, seed):
        return {"score": genotype["y"] / 19, "x": genotype["x"], "y": genotype["y"]}
"""


def search(folder: Path, evaluations: int = 60, **changes: Any) -> qd.Run:
    (folder / "knows.py").write_text(PLUGIN)
    data = {
        "space": {"kind": "knows:Numbers"},
        "evaluator": {"kind": "knows:Table", **changes.pop("evaluator", {})},
        "archive": {
            "objective": "score",
            "measures": [
                {"metric": "x", "low": changes.pop("low", 0), "high": changes.pop("high", 10), "bins": 10},
                {"metric": "y", "low": 0, "high": 20, "bins": 4},
            ],
        },
        "emitters": changes.pop("emitters", [{"kind": "random"}]),
        "search": {"order": "id", **changes},
        "budget": {"evaluations": evaluations},
    }
    (folder / "run.yaml").write_text(json.dumps(data))
    return qd.run(folder / "run.yaml", out=folder / "run")


def test_what_is_known_to_fall_outside_is_not_evaluated_but_counted(tmp_path: Path) -> None:
    run = search(tmp_path)
    assert run.count == 60
    assert run.archive.outside == 0
    assert run.summary()["screened"] > 20
    assert max(run.evaluations()["x"].tolist()) <= 10


def test_a_run_file_may_want_it_evaluated(tmp_path: Path) -> None:
    run = search(tmp_path, screen=False)
    assert run.archive.outside > 10
    assert run.summary()["screened"] == 0


def test_a_search_ends_where_all_is_known_to_fall_outside(tmp_path: Path) -> None:
    run = search(tmp_path, evaluations=1000)
    assert run.meta("ending") == "space exhausted"
    assert 200 <= run.count <= 11 * 20


def test_where_all_is_known_to_fall_outside_the_ranges_are_told(tmp_path: Path) -> None:
    message = "x lies between 0 and 19 there, and its axis goes from 100 to 200. Start again with other ranges, or with"
    with pytest.raises(QdError, match="all of the first .* proposals fall outside the map.*" + message):
        search(tmp_path, low=100, high=200)


def test_an_evaluation_fails_that_reports_another_value(tmp_path: Path) -> None:
    run = search(tmp_path, evaluator={"lie": 5})
    rows = run.evaluations()
    assert max(rows[rows["status"] == "ok"]["x"].tolist()) < 5
    errors = rows[rows["status"] == "failed"]["error"].tolist()
    assert {text.partition(":")[0] for text in errors} == {"x"}
    assert all("was known before the evaluation, which reports" in text for text in errors)


def test_screened_children_are_resumed_to_the_bit(tmp_path: Path) -> None:
    emitters = [{"kind": "map_elites", "initial": 10, "screen": {"children": 4}}]
    (tmp_path / "whole").mkdir()
    whole = search(tmp_path / "whole", evaluations=64, emitters=emitters, window=8)
    (tmp_path / "parts").mkdir()
    search(tmp_path / "parts", evaluations=24, emitters=emitters, window=8)
    parts = qd.resume(tmp_path / "parts" / "run", overrides=["budget.evaluations=64"])
    columns = ["id", "status", "x", "y", "score"]
    assert parts.evaluations()[columns].equals(whole.evaluations()[columns])
    assert parts.summary()["screened"] == whole.summary()["screened"]
