"""A search whose plug-ins are careless with what they are given, or raise where nobody expects it."""

import pytest
import yaml

import qd

PLUGIN = '''
"""Hooks that are a little off, in the way that `how` says."""

import numpy as np

from evaluators import Metric, SingleEvaluator
from search_spaces import Real, Repeat, SearchSpace, Struct, Vector


class Space(SearchSpace):
    genes = Struct(x=Real(0, 1), more=Repeat(Real(0, 1), 1, 3))

    def __init__(self, how: str = "") -> None:
        self.how = how

    def canonical(self, genotype):
        match self.how:
            case "sorts":
                return {**genotype, "more": sorted(genotype["more"])}
            case "sorts in place":
                genotype["more"].sort()
        return genotype


class Vectors(SearchSpace):
    def __init__(self, how: str = "") -> None:
        self.genes = Wrong(how)


class Wrong(Vector):
    def __init__(self, how: str) -> None:
        super().__init__(0, 1, size=3)
        self.how = how

    def mutate_many(self, genotypes, rng):
        mutants = super().mutate_many(genotypes, rng)
        match self.how:
            case "parents change":
                genotypes *= 0
        return mutants


class Score(SingleEvaluator):
    metrics = {"q": Metric(low=0, high=1), "a": Metric(low=0, high=1)}

    def __init__(self, how: str = "") -> None:
        self.how = how

    def evaluate_one(self, genotype, seed):
        x, y = (genotype["x"], genotype["more"][0]) if isinstance(genotype, dict) else genotype[:2]
        match self.how:
            case "appends" if isinstance(genotype, dict):
                genotype["more"].append("output")
            case "pops" if isinstance(genotype, dict):
                genotype.pop("x")
            case "appends" | "pops":
                genotype *= 0
        return {"q": float(x), "a": float(y)}
'''


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a run file for the plug-in above."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hooks.py").write_text(PLUGIN)

    def write(space: str = "Space", space_how: str = "", how: str = "", **changes):
        data = {
            "space": {"kind": f"hooks:{space}", "how": space_how},
            "evaluator": {"kind": "hooks:Score", "how": how},
            "archive": {"objective": "q", "measures": [{"metric": "a", "low": 0, "high": 1, "bins": 4}]},
            "emitters": [{"kind": "map_elites", "initial": 12}],
            "search": {"seed": 1, "order": "id", "chunk": 4},
            "budget": {"evaluations": 48},
            **changes,
        }
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(data))
        return tmp_path / "run.yaml"

    return write


CHANGES = [
    ("Space", "", "", "pops"),
    ("Space", "", "", "appends"),
    ("Space", "sorts", "sorts in place", ""),
    ("Vectors", "", "", "pops"),
    ("Vectors", "", "parents change", ""),
]


@pytest.mark.parametrize("log", ["all", "accepted"])
@pytest.mark.parametrize(("space", "before", "after", "how"), CHANGES)
def test_code_that_changes_what_it_gets_changes_nothing_else(write, log_tables, log, space, before, after, how) -> None:
    harmless = qd.run(write(space, before, log=log), out="harmless")
    careless = qd.run(write(space, after, how, log=log), out="careless")
    tables, expected = log_tables(careless.folder.path), log_tables(harmless.folder.path)
    names = ["evaluations", "results", "insertions"]
    assert {name: tables[name] for name in names} == {name: expected[name] for name in names}
    assert [row["genotype"] for row in tables["candidates"]] == [row["genotype"] for row in expected["candidates"]]
