from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from qd.metrics.modularity import modularity, numbered_edges
from qd.metrics.modularity_above_chance import modularities_above_chance, modularity_above_chance, rewire


def two_blocks() -> nx.DiGraph:
    """Two layered blocks of 10 nodes that two edges connect: far more modular than its degrees."""
    rng = np.random.default_rng(1)
    graph = nx.DiGraph()
    graph.add_edges_from([(4, 15), (3, 12)])
    for start in (0, 10):
        graph.add_edges_from((start + a, start + b) for a in range(5) for b in range(5, 10) if rng.random() < 0.8)
    return graph


def test_rewiring_keeps_degrees_and_adds_neither_loops_nor_parallel_edges():
    graph = two_blocks()
    edges, node_count = numbered_edges(graph)
    sources, targets = edges[:, 0].copy(), edges[:, 1].copy()
    adjacent = np.zeros((node_count, node_count), dtype=np.bool_)
    rewire(sources, targets, adjacent, np.uint64(3))
    np.testing.assert_array_equal(sources, edges[:, 0])
    np.testing.assert_array_equal(
        np.bincount(targets, minlength=node_count), np.bincount(edges[:, 1], minlength=node_count)
    )
    pairs = set(zip(sources.tolist(), targets.tolist(), strict=True))
    assert len(pairs) == len(edges)
    assert all(source != target for source, target in pairs)
    assert len(pairs & set(map(tuple, edges.tolist()))) < 0.8 * len(edges)
    assert not adjacent.any()


def test_swaps_reach_all_graphs_of_the_degrees_alike():
    sources, adjacent, state = np.array([0, 1, 2]), np.zeros((6, 6), dtype=np.bool_), np.uint64(1)
    targets = np.array([3, 4, 5])
    seen: dict[tuple, int] = {}
    for _ in range(6000):
        state = np.uint64(rewire(sources, targets, adjacent, state))
        seen[tuple(targets)] = seen.get(tuple(targets), 0) + 1
    assert len(seen) == 6
    assert min(seen.values()) > 850 and max(seen.values()) < 1150


def test_modular_graph_is_above_chance_and_its_rewiring_is_not():
    graph = two_blocks()
    assert modularity_above_chance(graph, seed=1, samples=50) > 0.15
    edges, node_count = numbered_edges(graph)
    targets = edges[:, 1].copy()
    rewire(edges[:, 0].copy(), targets, np.zeros((node_count, node_count), dtype=np.bool_), np.uint64(9))
    rewired = nx.DiGraph(list(zip(edges[:, 0].tolist(), targets.tolist(), strict=True)))
    assert abs(modularity_above_chance(rewired, seed=1, samples=50)) < 0.08


def test_chance_has_no_freedom_in_a_graph_that_degrees_determine():
    star = nx.DiGraph([("hub", leaf) for leaf in "abcdef"])
    assert modularity_above_chance(star, seed=5) == pytest.approx(0.0, abs=1e-12)


def test_seeds_decide_each_graph_alone():
    edges, node_count = numbered_edges(two_blocks())
    present = np.random.default_rng(2).random((20, len(edges))) < 0.7
    seeds = np.arange(20, dtype=np.uint64)
    together = modularities_above_chance(edges, present, node_count, seeds)
    backwards = modularities_above_chance(edges, present[::-1], node_count, seeds[::-1])
    np.testing.assert_array_equal(together, backwards[::-1])
    assert (modularities_above_chance(edges, present, node_count, seeds + np.uint64(99)) != together).any()


def test_single_graph_equals_the_batch():
    graph = two_blocks()
    edges, node_count = numbered_edges(graph)
    batch = modularities_above_chance(
        edges, np.ones((1, len(edges)), dtype=bool), node_count, np.array([4], dtype=np.uint64)
    )
    assert modularity_above_chance(graph, seed=4) == batch[0]
    assert batch[0] < modularity(graph)
