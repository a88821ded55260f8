"""The evaluator of the retina problem: what it reports, and that a cache does not change it."""

from __future__ import annotations

import numpy as np
import pytest

from evaluators import Evaluator
from evaluators.retina import Retina as RetinaEvaluator
from qd.metrics.modularity_above_chance import modularity_above_chance
from qd.testing import EvaluatorConformance
from qd.testing.batches import make_candidates
from search_spaces import SearchSpace, Vector
from search_spaces.retina import Retina


def bound(**arguments: int) -> RetinaEvaluator:
    evaluator = RetinaEvaluator(**arguments)
    evaluator.bind(Retina())
    return evaluator


def genotypes(size: int) -> np.ndarray:
    return np.asarray(Retina().genes.sample_many(size, np.random.default_rng(6)))


class TestRetinaKeepsTheContract(EvaluatorConformance):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return RetinaEvaluator(chance_samples=2, remembered=16)

    @pytest.fixture
    def space(self) -> SearchSpace:
        return Retina()


def test_the_metrics_of_an_empty_and_of_the_full_network() -> None:
    results = bound().evaluate(make_candidates([[0] * 121, [1] * 121]))
    assert {name: column.tolist() for name, column in results.metrics.items()} == {
        "accuracy": [0.75, pytest.approx(results.metrics["accuracy"][1])],
        "connection_cost": [0, pytest.approx(359.814, abs=1e-3)],
        "modularity": [0, pytest.approx(0.11392, abs=1e-5)],
        "one_sided_neurons": [0, 0],
    }


@pytest.mark.parametrize("remembered", [0, 64, 2**20])
def test_a_cache_of_any_size_changes_nothing(remembered: int) -> None:
    batch = make_candidates([])
    evaluator, plain = bound(remembered=remembered), bound(remembered=0)
    for _ in range(3):
        batch = make_candidates(genotypes(200))
        again, expected = evaluator.evaluate(batch), plain.evaluate(batch)
        for name in expected.metrics:
            np.testing.assert_array_equal(again.metrics[name], expected.metrics[name])


def test_modularity_above_chance_is_reported_when_asked_for() -> None:
    assert "modularity_above_chance" not in bound().metrics
    evaluator = bound(chance_samples=100)
    batch = make_candidates(genotypes(5))
    first, second = (evaluator.evaluate(batch).metrics["modularity_above_chance"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    graph = Retina().module_graph(batch.genotypes[0])
    pruned = graph.subgraph(graph.nodes)  # a random network of this many connections has no dead ends
    assert first[0] == pytest.approx(modularity_above_chance(pruned, seed=3, samples=100), abs=0.05)


def test_other_spaces_are_refused() -> None:
    class Other(SearchSpace):
        genes = Vector(-2, 2, 121, "int8")

    with pytest.raises(ValueError, match=r"retina scores networks of space: {kind: retina}, got genes Vector"):
        RetinaEvaluator().bind(Other())
