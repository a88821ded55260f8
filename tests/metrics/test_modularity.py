from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from evaluators.retina.kernel import topologies
from qd.metrics.modularity import LEAST_GAIN, communities, modularities, modularity
from search_spaces.retina.genotype import CONNECTIONS, NODES, initialise, mutate


def plain_communities(graph: nx.DiGraph) -> list[set]:
    """The same rule by full eigendecompositions and explicit projections, and with floating-point gains."""
    graph = nx.DiGraph(graph)
    graph.remove_nodes_from([node for node, degree in graph.degree if degree == 0])
    names = list(graph)
    if not names:
        return []
    adjacency = nx.to_numpy_array(graph)
    edge_count = adjacency.sum()
    both = adjacency - np.outer(adjacency.sum(axis=1), adjacency.sum(axis=0)) / edge_count
    both = both + both.T
    open_groups, done = [np.arange(len(names))], []
    while open_groups:
        group = open_groups.pop()
        matrix = both[np.ix_(group, group)]
        matrix = matrix - np.diag(matrix.sum(axis=1))
        values, vectors = np.linalg.eigh(matrix)
        leading = vectors[:, values > values[-1] - 1e-7]
        vector = leading @ (leading.T @ np.cos(group + 1.0))
        side = np.where(vector < -1e-8 * np.abs(vector).max(), -1, 1)
        if side @ matrix @ side / (4 * edge_count) > LEAST_GAIN:
            open_groups += [group[side > 0], group[side < 0]]
        else:
            done.append({names[index] for index in group})
    return done


def plain_modularity(graph: nx.DiGraph) -> float:
    found = plain_communities(graph)
    return nx.community.modularity(graph.subgraph(set().union(*found)), found, weight=None) if found else 0.0


def network(present: np.ndarray) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(NODES))
    graph.add_edges_from(map(tuple, CONNECTIONS[present].tolist()))
    return graph


def evolved(size: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    genotypes = initialise(size, rng)
    for _ in range(30):
        genotypes = mutate(genotypes, rng)
    return topologies(genotypes)


def random_masks(size: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    return rng.random((size, len(CONNECTIONS))) < rng.random((size, 1))


@pytest.mark.parametrize("present", [random_masks(500), evolved(500)], ids=["random", "evolved"])
def test_equals_dense_eigendecompositions(present):
    expected = [plain_modularity(network(mask)) for mask in present]
    np.testing.assert_allclose(modularities(CONNECTIONS, present, NODES), expected, rtol=0, atol=1e-9)


def test_equals_dense_eigendecompositions_on_other_graphs():
    for seed in range(150):
        rng = np.random.default_rng(seed)
        graph = nx.gnp_random_graph(int(rng.integers(2, 40)), rng.random() * 0.4, seed=seed, directed=True)
        assert modularity(graph) == pytest.approx(plain_modularity(graph), abs=1e-9)


def test_networkx_agrees_on_the_found_communities():
    for mask in random_masks(300):
        graph = network(mask)
        found = communities(graph)
        covered = set().union(*found)
        assert covered == {node for node, degree in graph.degree if degree > 0}
        assert sum(map(len, found)) == len(covered)
        if found:
            by_networkx = nx.community.modularity(graph.subgraph(covered), found, weight=None)
            assert modularity(graph) == pytest.approx(by_networkx, abs=1e-12)


def test_full_retina_network():
    assert modularity(network(np.ones(len(CONNECTIONS), dtype=bool))) == pytest.approx(0.11391954, abs=1e-8)


@pytest.mark.parametrize(
    ("edges", "quality", "groups"),
    [
        ([], 0.0, []),
        ([("a", "b")], 0.0, [{"a", "b"}]),
        ([("a", "b"), ("c", "d")], 0.5, [{"a", "b"}, {"c", "d"}]),
        ([("a", "b"), ("c", "d"), ("e", "f"), ("g", "h")], 0.75, [{"a", "b"}, {"c", "d"}, {"e", "f"}, {"g", "h"}]),
        ([("a", "b"), ("b", "c"), ("c", "a"), ("d", "e"), ("e", "f"), ("f", "d")], 0.5, [set("abc"), set("def")]),
    ],
)
def test_known_communities_even_where_eigenvalues_are_degenerate(edges, quality, groups):
    graph = nx.DiGraph(edges)
    assert modularity(graph) == pytest.approx(quality, abs=1e-12)
    assert sorted(map(sorted, communities(graph))) == sorted(map(sorted, groups))


def test_nodes_without_edges_and_weights_make_no_difference():
    graph = network(evolved(1)[0])
    quality = modularity(graph)
    graph.add_nodes_from(range(100, 110))
    for source, target in graph.edges:
        graph.edges[source, target]["weight"] = 7.0
    assert modularity(graph) == quality
    assert not set(range(100, 110)) & set().union(*communities(graph))


def test_a_graph_does_not_depend_on_its_batch():
    present = random_masks(50)
    alone = [modularities(CONNECTIONS, mask[None], NODES)[0] for mask in present]
    np.testing.assert_array_equal(modularities(CONNECTIONS, present, NODES), alone)
