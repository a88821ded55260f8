"""Connection cost: the sum of squared lengths of a network's connections, compiled and batched.

The cost of Clune, Mouret & Lipson, "The evolutionary origins of modularity" (2013): inputs and outputs have given
places in the plane, hidden nodes stand where they make the sum least (Chklovskii 2004), which is the solution of one
linear system, the graph's Laplacian over the hidden nodes. Nodes on no path from an input to an output are pruned
before.
"""

from __future__ import annotations

import math

import networkx
import numpy as np

from search_spaces import Metric

from ..compiled import njit
from .graph_metric import GraphMetric
from .pruning import connections_on_paths

SINGULAR = 1e-9
"""A pivot below this is zero: true ones are ratios of numbers of spanning forests, far above it in a small graph."""


def connection_cost(graph: networkx.DiGraph) -> float:
    """Return the cost of a layered network, pruned, in squared distances between neighbours in a layer; at least 0.

    Nodes carry `layer` (int); the first layer are inputs and the last are outputs. Layer l lies at y = l; inputs and
    outputs are 1 apart in x, in the graph's order, and centred on 0.

    Raises:
        ValueError: the graph has a cycle.
    """
    if not networkx.is_directed_acyclic_graph(graph):
        raise ValueError("connection_cost: expected a graph without cycles, so that it has inputs and outputs")
    nodes = list(graph)
    if not nodes:
        return 0.0
    number = {node: index for index, node in enumerate(nodes)}
    layers = np.array([graph.nodes[node]["layer"] for node in nodes], dtype=np.int64)
    inputs, outputs = layers == layers.min(), layers == layers.max()
    ordered = [(number[node], number[to]) for node in networkx.topological_sort(graph) for to in graph.successors(node)]
    edges = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    kept = connections_on_paths(edges, np.ones((1, len(edges)), dtype=np.bool_), inputs, outputs)
    return float(connection_costs(edges, kept, line_places(layers, inputs | outputs), inputs | outputs)[0])


class ConnectionCost(GraphMetric):
    """Connection cost of the module graph, without modules on no path from the first layer to the last.

    Args:
        name: of the metric.
    """

    def __init__(self, name: str = "connection_cost") -> None:
        super().__init__(name, Metric("", 0, math.inf, "minimise"))

    def of(self, graph: networkx.DiGraph) -> float:
        return connection_cost(graph)


def line_places(layers: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Return (V, 2) float64 places (x, y): the fixed nodes of a layer 1 apart, centred on x = 0, at y = layer.

    Args:
        layers: (V,) int64.
        fixed: (V,) bool; the others are at (0, 0).
    """
    places = np.zeros((len(layers), 2))
    for layer in np.unique(layers[fixed]):
        row = np.flatnonzero(fixed & (layers == layer))
        places[row, 0] = np.arange(len(row)) - (len(row) - 1) / 2
        places[row, 1] = layer
    return places


@njit(cache=True)
def connection_costs(edges: np.ndarray, present: np.ndarray, places: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Return the least sum of squared connection lengths of each network.

    Hidden nodes that no path of connections, of whatever direction, ties to a fixed node cost nothing.

    Args:
        edges: (E, 2) int64, the two ends of every possible connection, in [0, V).
        present: (N, E) bool, the connections that each network has, pruned.
        places: (V, 2) float64, x and y of the fixed nodes; of the others they do not matter.
        fixed: (V,) bool, which nodes have a given place: inputs and outputs.

    Returns:
        (N,) float64.
    """
    costs = np.zeros(present.shape[0])
    where = places.copy()
    hidden = np.flatnonzero(~fixed)
    number = np.full(len(fixed), -1, dtype=np.int64)
    number[hidden] = np.arange(len(hidden))
    laplacian = np.empty((len(hidden), len(hidden)))
    pull = np.empty((len(hidden), 2))
    for row in range(present.shape[0]):
        laplacian[:] = 0.0
        pull[:] = 0.0
        for edge in range(len(edges)):
            if present[row, edge]:
                source, target = edges[edge]
                first, second = number[source], number[target]
                if first >= 0:
                    laplacian[first, first] += 1.0
                    if second < 0:
                        pull[first] += places[target]
                if second >= 0:
                    laplacian[second, second] += 1.0
                    if first < 0:
                        pull[second] += places[source]
                if first >= 0 and second >= 0:
                    laplacian[first, second] -= 1.0
                    laplacian[second, first] -= 1.0
        _solve(laplacian, pull)
        for index in range(len(hidden)):
            where[hidden[index]] = pull[index]
        for edge in range(len(edges)):
            if present[row, edge]:
                source, target = edges[edge]
                across, along = where[source, 0] - where[target, 0], where[source, 1] - where[target, 1]
                costs[row] += across * across + along * along
    return costs


@njit(cache=True)
def _solve(matrix, right):
    """Overwrite `right` (n, 2) by the solution of `matrix` x = `right`, and destroy `matrix`.

    Gaussian elimination without pivoting, which a positive semidefinite matrix allows. Unknowns that the equations
    leave open are 0.
    """
    size = len(right)
    for pivot in range(size):
        if matrix[pivot, pivot] < SINGULAR:
            continue
        inverse = 1.0 / matrix[pivot, pivot]
        for row in range(pivot + 1, size):
            if matrix[row, pivot] != 0.0:
                factor = matrix[row, pivot] * inverse
                for column in range(pivot + 1, size):
                    matrix[row, column] -= factor * matrix[pivot, column]
                right[row, 0] -= factor * right[pivot, 0]
                right[row, 1] -= factor * right[pivot, 1]
    for pivot in range(size - 1, -1, -1):
        if matrix[pivot, pivot] < SINGULAR:
            right[pivot] = 0.0
            continue
        for column in range(pivot + 1, size):
            right[pivot, 0] -= matrix[pivot, column] * right[column, 0]
            right[pivot, 1] -= matrix[pivot, column] * right[column, 1]
        right[pivot] /= matrix[pivot, pivot]
