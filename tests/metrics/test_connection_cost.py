from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from qd.metrics.connection_cost import connection_cost, connection_costs, line_places
from qd.metrics.pruning import connections_on_paths
from search_spaces.retina.genotype import CONNECTIONS, LAYER_OF_NODE, NODES

FIXED = (LAYER_OF_NODE == 0) | (LAYER_OF_NODE == 4)
PLACES = line_places(LAYER_OF_NODE, FIXED)


def random_masks(size: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.random((size, len(CONNECTIONS))) < rng.random((size, 1))


def network(present: np.ndarray) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from((node, {"layer": int(layer)}) for node, layer in enumerate(LAYER_OF_NODE))
    graph.add_edges_from(map(tuple, CONNECTIONS[present].tolist()))
    return graph


def plain_pruned(graph: nx.DiGraph) -> nx.DiGraph:
    """By reachability over the whole graph."""
    inputs = [node for node in graph if graph.nodes[node]["layer"] == 0]
    fed = set(inputs).union(*(nx.descendants(graph, node) for node in inputs))
    used = nx.ancestors(graph, NODES - 1) | {NODES - 1}
    return nx.DiGraph(graph.edge_subgraph(edge for edge in graph.edges if set(edge) <= fed & used))


def plain_cost(graph: nx.DiGraph) -> float:
    """Least squares over the incidence matrix."""
    edges = list(graph.edges)
    incidence = np.zeros((len(edges), NODES))
    for row, (source, target) in enumerate(edges):
        incidence[row, source], incidence[row, target] = 1, -1
    given = incidence[:, FIXED] @ PLACES[FIXED]
    solution = np.linalg.lstsq(incidence[:, ~FIXED], -given, rcond=None)[0]
    return float(((incidence[:, ~FIXED] @ solution + given) ** 2).sum())


def test_places_of_the_retina():
    np.testing.assert_array_equal(PLACES[:8, 0], [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(PLACES[:8, 1], np.zeros(8))
    np.testing.assert_array_equal(PLACES[22], [0, 4])


def test_full_retina_network():
    full = np.ones((1, len(CONNECTIONS)), dtype=bool)
    assert connection_costs(CONNECTIONS, full, PLACES, FIXED)[0] == pytest.approx(359.8139535, abs=1e-6)
    assert connection_cost(network(full[0])) == pytest.approx(359.8139535, abs=1e-6)


def test_equals_least_squares():
    masks = random_masks(400)
    kept = connections_on_paths(CONNECTIONS, masks, LAYER_OF_NODE == 0, LAYER_OF_NODE == 4)
    costs = connection_costs(CONNECTIONS, kept, PLACES, FIXED)
    for mask, pruned, cost in zip(masks, kept, costs, strict=True):
        expected = plain_pruned(network(mask))
        assert set(map(tuple, CONNECTIONS[pruned].tolist())) == set(expected.edges)
        assert cost == pytest.approx(plain_cost(expected), abs=1e-9)
        assert connection_cost(network(mask)) == pytest.approx(cost, abs=1e-9)


def test_a_part_that_nothing_holds_costs_nothing():
    edges = np.array([(0, 1), (1, 2), (3, 4)])
    fixed = np.array([True, False, True, False, False])
    places = np.array([(0.0, 0), (9, 9), (2, 0), (9, 9), (9, 9)])
    assert connection_costs(edges, np.ones((1, 3), dtype=bool), places, fixed)[0] == pytest.approx(2.0)


def test_a_chain_is_straight_and_a_dead_end_is_pruned():
    graph = nx.DiGraph()
    for node, layer in (("in", 0), ("a", 1), ("b", 2), ("dead end", 2), ("out", 3)):
        graph.add_node(node, layer=layer)
    graph.add_edges_from([("in", "a"), ("a", "b"), ("b", "out"), ("a", "dead end")])
    assert connection_cost(graph) == pytest.approx(3.0)


def test_nothing_connected_costs_nothing():
    assert connection_cost(network(np.zeros(len(CONNECTIONS), dtype=bool))) == 0.0
    assert connection_cost(nx.DiGraph()) == 0.0


def test_a_cycle_is_refused():
    graph = nx.DiGraph()
    for node in range(3):
        graph.add_node(node, layer=node)
    graph.add_edges_from([(0, 1), (1, 2), (2, 1)])
    with pytest.raises(ValueError, match="without cycles"):
        connection_cost(graph)
