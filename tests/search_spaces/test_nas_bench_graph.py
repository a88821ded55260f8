"""Architectures of NAS-Bench-Graph are told apart as the benchmark tells them apart."""

from itertools import product

import numpy as np
import pytest

from qd.testing import SpaceConformance
from search_spaces.nas_bench_graph import LINKS, OPERATIONS, NASBenchGraph

SPACE = NASBenchGraph()


class TestNASBenchGraph(SpaceConformance):
    @pytest.fixture
    def space(self) -> NASBenchGraph:
        return SPACE


def key(links: str, *operations: str) -> str:
    return SPACE.key({"links": links, "operations": list(operations)})


def test_there_are_as_many_as_published() -> None:
    keys = {key(links, *four) for links in LINKS for four in product(OPERATIONS, repeat=4) if set(four) != {"skip"}}
    assert len(keys) == 26_206


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("0000", "gcn", "gat", "gin", "fc"), ("0000", "fc", "gin", "gat", "gcn"), True),  # siblings have no order
        (("0123", "gcn", "gat", "gin", "fc"), ("0123", "fc", "gin", "gat", "gcn"), False),  # a chain has one
        (("0012", "gcn", "gat", "gin", "fc"), ("0012", "gat", "gcn", "fc", "gin"), True),  # two chains of two
        (("0012", "gcn", "gat", "gin", "fc"), ("0012", "gcn", "gat", "fc", "gin"), False),
        (("0123", "skip", "gat", "gin", "fc"), ("0123", "gat", "gin", "skip", "fc"), True),  # followed: moves
        (("0000", "gat", "gin", "fc", "skip"), ("0111", "skip", "gat", "gin", "fc"), True),  # hands on the input
        (("0111", "gcn", "gat", "gin", "skip"), ("0123", "skip", "gcn", "gat", "gin"), False),  # hands on a node: stays
    ],
)
def test_what_stands_for_the_same(first: tuple[str, ...], second: tuple[str, ...], same: bool) -> None:
    assert (key(*first) == key(*second)) is same


def test_canonical_genotypes_are_their_own() -> None:
    for genotype in SPACE.genes.sample_many(300, np.random.default_rng(0)):
        canonical = SPACE.canonical(genotype)
        SPACE.genes.validate(canonical)
        assert SPACE.canonical(canonical) == canonical


def test_the_graph_shows_links_and_operations() -> None:
    graph = SPACE.module_graph({"links": "0013", "operations": ["gcn", "skip", "gat", "fc"]})
    assert [label for _, label in graph.nodes(data="label")] == ["input", "gcn", "skip", "gat", "fc", "output"]
    assert set(graph.edges) == {
        ("input", "node1"), ("input", "node2"), ("node1", "node3"), ("node3", "node4"), ("node2", "output"),
        ("node4", "output"),
    }  # fmt: skip
    assert graph.edges["input", "node2"]["kind"] == "residual"
