"""A search over a space whose diagrams fail."""

from __future__ import annotations

from pathlib import Path

import pytest

import qd

PLUGIN = """
from evaluators import Metric, SingleEvaluator
from search_spaces import Integer, SearchSpace, Struct


class Numbers(SearchSpace):
    genes = Struct(x=Integer(0, 99))

    def module_graph(self, genotype):
        raise KeyError("layers")


class Value(SingleEvaluator):
    metrics = {"value": Metric("", 0, 99)}

    def evaluate_one(self, genotype, seed):
        return {"value": genotype["x"]}
"""
RUN_FILE = """
space: {kind: "graphless:Numbers"}
evaluator: {kind: "graphless:Value"}
archive: {kind: grid, objective: {metric: value}, measures: [{metric: value, low: 0, high: 100, bins: 10}]}
emitters: [{kind: random}]
search: {seed: 0, chunk: 4}
budget: {evaluations: 12}
"""


def test_a_graph_that_fails_costs_the_diagram_alone(tmp_path: Path) -> None:
    (tmp_path / "graphless.py").write_text(PLUGIN)
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    with pytest.warns(
        UserWarning, match=r"Numbers\.module_graph fails \(KeyError: 'layers'\); such networks have no diagram"
    ):
        run = qd.run(tmp_path / "run.yaml", out=tmp_path / "out")
    assert run.count == 12
    assert run.archive.best is not None
