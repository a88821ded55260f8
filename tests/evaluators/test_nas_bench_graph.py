"""Graph networks are looked up, not trained."""

import numpy as np
import pytest

from evaluators.data.nas_bench_graph import find
from evaluators.nas_bench_graph import NASBenchGraphTable
from qd.candidates import Candidates, Purpose, Status
from search_spaces.nas_bench_graph import NASBenchGraph
from search_spaces.sparse_moe import SparseMoE

GENOTYPES = [
    {"links": "0000", "operations": ["gat", "gat", "gat", "gat"]},  # the table's first entry
    {"links": "0123", "operations": ["skip", "skip", "skip", "skip"]},
]


@pytest.fixture(scope="module")
def table() -> NASBenchGraphTable:
    try:
        find("cora")
    except ValueError as error:
        pytest.skip(str(error))
    evaluator = NASBenchGraphTable("cora")
    evaluator.bind(NASBenchGraph())
    return evaluator


def candidates(purpose: Purpose) -> Candidates:
    ids = np.arange(1, len(GENOTYPES) + 1)
    return Candidates(ids, ids, np.zeros(len(ids), dtype=np.int64), 0, GENOTYPES, purpose=purpose)


def test_a_search_sees_validation_and_a_verification_the_test(table: NASBenchGraphTable) -> None:
    searched, verified = (table.evaluate(candidates(purpose)) for purpose in (Purpose.SEARCH, Purpose.VERIFICATION))
    assert searched.metrics["val_accuracy"][0] == pytest.approx(0.773333, abs=1e-6)
    assert verified.metrics["val_accuracy"][0] == pytest.approx(0.797, abs=1e-6)
    for results in (searched, verified):
        assert results.metrics["parameters"][0] == pytest.approx(1_736_711)
        assert results.metrics["latency"][0] == pytest.approx(5.922238, abs=1e-6)


def test_skips_alone_are_no_architecture(table: NASBenchGraphTable) -> None:
    results = table.evaluate(candidates(Purpose.SEARCH))
    assert results.status.tolist() == [Status.OK, Status.INVALID]
    assert "the table has no architecture of links=0123" in results.errors[2]


def test_it_is_bound_to_its_own_space_alone(table: NASBenchGraphTable) -> None:
    with pytest.raises(ValueError, match="the table is of the space nas_bench_graph, and not of SparseMoE"):
        table.bind(SparseMoE())
