"""Module graphs: where they come from, and what a space whose graphs fail costs."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest

import qd
from qd.errors import UsageError
from qd.plots.architecture import architecture
from search_spaces.sparse_moe import SparseMoE

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


def test_a_graph_that_fails_costs_the_diagram_alone(tmp_path: Path, logged) -> None:
    (tmp_path / "graphless.py").write_text(PLUGIN)
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    run = qd.run(tmp_path / "run.yaml", out=tmp_path / "out")
    assert "Numbers.module_graph: KeyError: 'layers'; such networks have no diagram" in logged.messages
    assert run.count == 12
    assert run.archive.best is not None


def test_of_a_strangers_space_the_log_keeps_graphs_of_elites(workbench):
    run = qd.run(workbench.write(), out="run")
    workbench.plugin.unlink()  # looking needs no plug-in
    elites = {elite.candidate for elite in run.archive.elites.values()}
    logged = {candidate for (candidate,) in run.query("SELECT candidate FROM graphs")}
    entered = run.query("SELECT candidate FROM insertions JOIN evaluations ON id = evaluation")
    assert elites <= logged <= {candidate for (candidate,) in entered}
    for elite in run.archive.elites.values():
        graph = run.module_graph(elite.candidate)
        assert graph is not None
        assert graph.nodes["x"]["size"] == elite.genotype["x"]
    other = min({id for (id,) in run.query("SELECT id FROM candidates")} - logged)
    with pytest.raises(UsageError, match=rf"of candidate {other} there is no module graph: of the space table_\d+"):
        run.module_graph(other)
    with pytest.raises(UsageError, match="there is no candidate 100000"):
        run.module_graph(100_000)


def test_means_that_change_hands_keep_graphs_of_elites(workbench):
    settings = {"search": {"noise": "reevaluate"}, "space": {"side": 12}, "budget": {"evaluations": 120}}
    run = qd.run(workbench.write(**settings), out="run")
    for elite in run.archive.elites.values():
        graph = run.module_graph(elite.candidate)
        assert graph is not None
        assert graph.nodes["x"]["size"] == elite.genotype["x"]


OWN = """
space: {kind: sparse_moe}
evaluator: {kind: outside, metrics: {value: {low: 0, high: 100}}}
archive: {objective: value, measures: [{metric: value, low: 0, high: 100, bins: 10}]}
search: {seed: 0}
budget: {evaluations: 12}
"""


def test_of_our_own_space_graphs_are_made_again_from_genotypes(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(OWN)
    with qd.open_search(tmp_path / "run.yaml", out=tmp_path / "out") as search:
        candidates = search.ask(12)
        search.tell(candidates, [{"value": 5} for _ in candidates])
    run = qd.open_run(tmp_path / "out")
    assert run.query("SELECT COUNT(*) FROM graphs") == [(0,)]
    assert len(run.archive) == 1
    for one in candidates:
        graph = run.module_graph(one.candidate)
        assert graph is not None
        expected = SparseMoE().module_graph(one.genotype)
        assert networkx.utils.graphs_equal(graph, expected)
    assert "<svg" in architecture(run, candidates[-1].candidate)
