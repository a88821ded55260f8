"""The door: what it builds, and what it refuses."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qd.config import check
from qd.emitters import MapElites
from qd.emitters.baselines import Random
from qd.errors import UsageError
from qd.runs.problem import prepare
from qd.search.problem import Problem

PLUGIN = """
from typing import Literal

from evaluators import Metric, SingleEvaluator
from search_spaces import Integer, Real, SearchSpace, Struct


class Space(SearchSpace):
    def __init__(self, most: int = 9, shape: Literal["line", "square"] = "line"):
        if most < 1:
            raise ValueError(f"most: expected at least 1, got {most}")
        self.genes = Struct(x=Integer(0, most), y=Real(0, 1))


class Measured(Space):
    metrics = {"sparsity": Metric("", 0, 1)}


class Table(SingleEvaluator):
    metrics = {
        "score": Metric("points", 0, 1),
        "cost": Metric("MAC", 0, direction="minimise"),
        "wait": Metric("s", 0, 9, time=True),
        "order": Metric(),
    }

    def __init__(self, folder: str = "."):
        self.folder = folder

    def evaluate_one(self, genotype, seed):
        return {"score": 0.5, "cost": 1, "wait": 1, "order": 1}


class Genes(SearchSpace):
    genes = {"x": Integer(0, 9)}


class NoGenes(SearchSpace):
    pass


class Colliding(Space):
    metrics = {"score": Metric()}


class Reserved(Space):
    metrics = {"cell": Metric()}


class Picky(Table):
    def bind(self, space):
        raise ValueError("only networks, please")


class NoMetrics(Table):
    metrics = {}


class ListOfMetrics(Table):
    metrics = ["score"]


class NoMetric(Table):
    metrics = {"score": 1.0}


class Capital(Table):
    metrics = {"Score": Metric()}


class Underscore(Table):
    metrics = {"_score": Metric()}


class Dash(Table):
    metrics = {"val-score": Metric()}


class Long(Table):
    metrics = {"a" * 64: Metric()}


class Numbered(Table):
    metrics = {1: Metric()}


class Quoted(Table):
    metrics = {'a" REAL); DROP TABLE results; --': Metric()}


class LineEnd(Table):
    metrics = {"score\\n": Metric()}


class TooMany(Table):
    metrics = {f"m{i}": Metric() for i in range(501)}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "parts_of_mine.py").write_text(PLUGIN)
    before = list(sys.path)
    yield folder
    sys.path[:] = before
    del sys.modules["parts_of_mine"]


def run_file(**changes: Any) -> dict[str, Any]:
    data = {
        "space": "Space",
        "evaluator": "Table",
        "archive": {"objective": "score", "measures": [{"metric": "cost", "low": 1, "high": 9, "scale": "log"}]},
        "budget": {"evaluations": 10},
    }
    data |= changes
    for key in ("space", "evaluator"):
        part = data[key] if isinstance(data[key], dict) else {"kind": data[key]}
        data[key] = {**part, "kind": f"parts_of_mine:{part['kind']}"}
    return data


def door(folder: Path, **changes: Any) -> Problem:
    return prepare(check(run_file(**changes), "run.yaml"), "run.yaml", folder)


def test_all_parts_of_a_run_are_built_and_bound(folder: Path) -> None:
    emitters = [{"kind": "random", "weight": 0.5}, {"kind": "map_elites", "initial": 7}, {"kind": "random"}]
    problem = door(folder, space={"kind": "Measured", "most": 3}, emitters=emitters)
    assert repr(problem.space.genes) == "Struct(x=Integer(0, 3), y=Real(0, 1))"
    assert problem.evaluator.space is problem.space
    assert {name: source for name, (_, source) in problem.metrics.items()} == {
        "score": "evaluator",
        "cost": "evaluator",
        "wait": "evaluator",
        "order": "evaluator",
        "sparsity": "space",
    }
    assert repr(problem.archive) == "GridArchive(cost (20): 0 of 20 cells)"
    assert problem.archive.axes[0].unit == "MAC"
    assert [(one.name, type(one.emitter), one.weight) for one in problem.emitters] == [
        ("random", Random, 0.5),
        ("map_elites", MapElites, 1.0),
        ("random_2", Random, 1.0),
    ]
    assert set(problem.registry.digests) == {"parts_of_mine:Measured", "parts_of_mine:Table"}


def test_every_emitter_has_random_numbers_of_its_own_that_follow_from_the_seed(folder: Path) -> None:
    def draws(seed: int) -> list[float]:
        emitters = [{"kind": "random"}, {"kind": "random"}]
        return [one.rng.random() for one in door(folder, emitters=emitters, search={"seed": seed}).emitters]

    assert draws(1) == draws(1)
    assert len({*draws(1), *draws(2)}) == 4


def test_a_metric_of_the_space_may_be_an_axis(folder: Path) -> None:
    archive = {"objective": "score", "measures": [{"metric": "sparsity", "low": 0, "high": 1}]}
    assert door(folder, space="Measured", archive=archive).archive.axes[0].metric == "sparsity"
    with pytest.raises(UsageError, match="no metric 'sparsity' is reported"):
        door(folder, archive=archive)


def test_an_objective_without_finite_range_may_be_given_one(folder: Path) -> None:
    archive = run_file()["archive"] | {"objective": {"metric": "cost", "high": 100}}
    objective = door(folder, archive=archive).archive.objective
    assert (objective.direction, objective.low, objective.high) == ("minimise", 0, 100)


def emitter(kind: str = "map_elites", **arguments: Any) -> dict[str, Any]:
    return {"emitters": [{"kind": kind, **arguments}]}


def axis(**changes: Any) -> dict[str, Any]:
    return {"objective": "score", "measures": [{"metric": "cost", "low": 1, "high": 9} | changes]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"kind": "Space", "mots": 3}}, "space.mots: unknown key; did you mean 'most'?"),
        ({"space": {"kind": "Space", "most": 0}}, "space: most: expected at least 1, got 0"),
        ({"space": {"kind": "Space", "most": "9"}}, "space.most: input should be a valid integer, got '9'"),
        ({"evaluator": {"kind": "Table", "fodler": "."}}, "evaluator.fodler: unknown key; did you mean 'folder'?"),
        ({"space": "Genes"}, "space: parts_of_mine:Genes declares no `genes`"),
        ({"space": "NoGenes"}, "space: parts_of_mine:NoGenes declares no `genes`"),
        ({"space": "Table"}, "space.kind: parts_of_mine:Table is no SearchSpace"),
        ({"evaluator": "Space"}, "evaluator.kind: parts_of_mine:Space is no Evaluator"),
        ({"evaluator": "Picky"}, "evaluator: only networks, please"),
        ({"evaluator": "NoMetrics"}, "evaluator: NoMetrics declares no `metrics`"),
        ({"evaluator": "ListOfMetrics"}, "evaluator: expected metrics = {name: Metric(...)}, got ['score']"),
        ({"evaluator": "NoMetric"}, "evaluator: metric 'score': expected Metric(...), got 1.0"),
        ({"evaluator": "Capital"}, "evaluator: metric name 'Score' is not allowed: lower case letters"),
        ({"evaluator": "Underscore"}, "evaluator: metric name '_score' is not allowed"),
        ({"evaluator": "Dash"}, "evaluator: metric name 'val-score' is not allowed"),
        ({"evaluator": "Long"}, f"evaluator: metric name '{'a' * 64}' is not allowed"),
        ({"evaluator": "Numbered"}, "evaluator: metric name 1 is not allowed"),
        ({"evaluator": "Quoted"}, "evaluator: metric name 'a\" REAL); DROP TABLE results; --' is not allowed"),
        ({"evaluator": "LineEnd"}, "evaluator: metric name 'score\\n' is not allowed"),
        ({"evaluator": "TooMany"}, "evaluator: at most 500 metrics, got 501"),
        ({"space": "Reserved"}, "space: metric name 'cell' is taken by a column of the log; choose another"),
        ({"space": "Colliding"}, "space: metric 'score' is reported by the evaluator already; choose another name"),
        ({"archive": axis(metric="csot")}, "archive.measures[0].metric: no metric 'csot' is reported; did you"),
        ({"archive": axis() | {"objective": "scroe"}}, "archive.objective.metric: no metric 'scroe' is reported"),
        (
            {"archive": axis(metric="score") | {"objective": "cost"}},
            "archive.objective: the normalised QD score needs a finite range, and 'cost' has [0, inf];"
            " write {metric: cost, low: ..., high: ...}",
        ),
        (
            {"archive": axis() | {"objective": {"metric": "score", "low": 2}}},
            "archive.objective: low must be below high, got low=2 and high=1",
        ),
        (emitter("map_elite"), "emitters[0].kind: unknown Emitter 'map_elite'; did you mean 'map_elites'"),
        (
            {"emitters": [{"kind": "random"}, {"kind": "random", "initial": 3}]},
            "emitters[1].initial: belongs to kind: evolutionary, guided, map_elites,",
        ),
        (emitter(wieght=3), "emitters[0].wieght: unknown key; did you mean 'weight'?"),
        (emitter(initail=3), "emitters[0].initail: unknown key; did you mean 'initial'"),
        (emitter(initial=0), "emitters[0].initial: input should be greater than or"),
        (emitter(crossover=1.1), "emitters[0].crossover: input should be less than or"),
    ],
)
def test_what_does_not_fit_is_refused_with_file_and_key(folder: Path, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=f"^run.yaml: {re.escape(message)}"):
        door(folder, **changes)


@pytest.mark.parametrize(
    ("archive", "key"),
    [
        (axis(metric="wait"), "archive.measures[0]"),
        ({"objective": "wait", "measures": [{"metric": "cost", "low": 0, "high": 1}]}, "archive.objective"),
    ],
)
def test_a_time_decides_nothing_where_logs_must_be_equal(folder: Path, archive: dict, key: str) -> None:
    assert door(folder, archive=archive)
    with pytest.raises(UsageError, match=rf"^run.yaml: {re.escape(key)}: 'wait' is a time .*, or order: arrival$"):
        door(folder, archive=archive, search={"order": "id"})
