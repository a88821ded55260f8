"""Modularity of directed graphs by recursive spectral splitting, compiled and batched.

Implements Leicht & Newman, "Community structure in directed networks" (2008): with A the adjacency matrix and m the
number of edges, B[i, j] = A[i, j] - k_out(i) k_in(j) / m, and Q is the sum of B over pairs in one community, over m. A
group is split by the signs of the leading eigenvector of its symmetrised matrix B + B^T (of which each diagonal entry
loses its row sum), and is left whole when that gains no more than `LEAST_GAIN`. No Kernighan-Lin refinement follows.

Where the paper leaves the split open it is made definite, so that equal graphs have equal Q:
    - nodes without edges belong to no community, and the others are numbered in their order, from 0;
    - where the leading eigenvalue is degenerate, the eigenvector is the projection onto its eigenspace of the vector r
      with r[i] = cos(i + 1), in the numbering above. It cannot vanish: cosines of different positive integers are
      linearly independent over the algebraic numbers (Lindemann-Weierstrass), and eigenvectors are algebraic;
    - an entry of the eigenvector that vanishes (by symmetry, say) counts as positive; r points to the positive side.
The first two fall out of the Lanczos iteration started at r, whose Krylov space holds of every eigenspace just the
projection of r; it is run, with reorthogonalisation, until that space is exhausted, so it is a direct method here.
Gains and Q are integers over m², hence exact.

A batch of graphs over V nodes is given by the `edges` that any of them may have and the mask of those that each has.
"""

from __future__ import annotations

import math

import networkx
import numpy as np

from search_spaces import Metric

from ..compiled import njit
from .graph_metric import GraphMetric

LEAST_GAIN = 1e-5
"""A split must raise Q by more than this."""

VANISHING = 1e-8
"""An eigenvector's entry below this share of the largest is zero."""
EXHAUSTED = 1e-9
"""The Krylov space ends where the next direction is shorter than this; entries of the matrix are of order 1."""

REORDERABLE = {"reassoc", "contract"}
"""Lets the compiler use vector instructions for sums."""


def modularity(graph: networkx.DiGraph) -> float:
    """Return Q of the communities that splitting finds, in [-0.5, 1); 0 without edges. Weights are not looked at."""
    edges, node_count = numbered_edges(graph)
    present = np.ones((1, len(edges)), dtype=np.bool_)
    return float(modularities(edges, present, node_count)[0])


class Modularity(GraphMetric):
    """Directed modularity of the module graph. A space's own `modularity` may be another; then give this a `name`.

    Args:
        name: of the metric.
    """

    def __init__(self, name: str = "modularity") -> None:
        super().__init__(name, Metric("", -0.5, 1))

    def of(self, graph: networkx.DiGraph) -> float:
        return modularity(graph)


def modularities(edges: np.ndarray, present: np.ndarray, node_count: int) -> np.ndarray:
    """Return Q of each graph, as `modularity` does.

    Args:
        edges: (E, 2) int64, source and target of every possible edge, all different, in [0, node_count).
        present: (N, E) bool, the edges that each graph has.
        node_count: V.

    Returns:
        (N,) float64.
    """
    return _split_graphs(edges, present, node_count)[0]


def communities(graph: networkx.DiGraph) -> list[set]:
    """Return the communities whose modularity is `modularity(graph)`; they cover the nodes that have edges."""
    edges, node_count = numbered_edges(graph)
    labels = _split_graphs(edges, np.ones((1, len(edges)), dtype=np.bool_), node_count)[1][0]
    found: list[set] = [set() for _ in range(labels.max(initial=-1) + 1)]
    for node, label in zip(graph, labels, strict=True):
        if label >= 0:
            found[label].add(node)
    return found


def numbered_edges(graph: networkx.DiGraph) -> tuple[np.ndarray, int]:
    """Return the edges as an (E, 2) int64 array of node numbers, nodes being numbered in the graph's order, and V."""
    number = {node: index for index, node in enumerate(graph)}
    edges = np.array([(number[source], number[target]) for source, target in graph.edges], dtype=np.int64)
    return edges.reshape(-1, 2), len(number)


@njit(cache=True)
def _split_graphs(edges, present, node_count):
    """Return Q (N,) float64 and the communities (N, V) int64, -1 for nodes without edges."""
    size = present.shape[0]
    qualities = np.zeros(size)
    labels = np.full((size, node_count), -1, dtype=np.int64)
    sources = np.empty(len(edges), dtype=np.int64)
    targets = np.empty(len(edges), dtype=np.int64)
    workspace = new_workspace(node_count)
    for row in range(size):
        count = 0
        for edge in range(len(edges)):
            if present[row, edge]:
                sources[count] = edges[edge, 0]
                targets[count] = edges[edge, 1]
                count += 1
        qualities[row] = split_graph(sources[:count], targets[:count], workspace, labels[row])
    return qualities, labels


@njit(cache=True)
def new_workspace(node_count):
    """Return scratch memory for `split_graph`: (integers, matrix, Krylov basis, vectors)."""
    vectors = np.empty((7, node_count))
    vectors[0] = np.cos(np.arange(1, node_count + 1))
    square = (node_count, node_count)
    return np.empty((6, node_count), dtype=np.int64), np.empty(square), np.empty(square), vectors


@njit(cache=True)
def split_graph(sources, targets, workspace, labels):
    """Return Q of one graph and write its communities.

    Args:
        sources: (M,) int64, where each edge starts; no edge is given twice.
        targets: (M,) int64, where each edge ends.
        workspace: of `new_workspace(V)`; its contents do not matter.
        labels: (V,) int64, overwritten by the community of each node, -1 where it has no edge.
    """
    integers, matrix, basis, vectors = workspace
    out_degree, in_degree, order, label, members, place = integers
    edge_count = len(sources)
    labels[:] = -1
    if edge_count == 0:
        return 0.0
    for edge in range(edge_count):
        labels[sources[edge]] = 0
        labels[targets[edge]] = 0
    count = 0
    for node in range(len(labels)):
        if labels[node] == 0:
            order[node] = count
            out_degree[count] = in_degree[count] = label[count] = 0
            count += 1
    for edge in range(edge_count):
        out_degree[order[sources[edge]]] += 1
        in_degree[order[targets[edge]]] += 1

    group, groups = 0, 1
    while group < groups:
        size = 0
        for node in range(count):
            if label[node] == group:
                members[size] = node
                place[node] = size
                size += 1
        if size > 1:
            _group_matrix(sources, targets, order, label, group, members[:size], place, out_degree, in_degree, matrix)
            _leading_eigenvector(matrix, members[:size], basis, vectors)
            least = -VANISHING * np.max(np.abs(vectors[1, :size]))
            for index in range(size):
                if vectors[1, index] < least:
                    label[members[index]] = groups
            if _split_pays(sources, targets, order, label, group, groups, members[:size], out_degree, in_degree):
                groups += 1
                continue  # what stays in this group may split again
            label[members[:size]] = group
        group += 1

    for node in range(len(labels)):
        if labels[node] == 0:
            labels[node] = label[order[node]]
    inside, expected = 0, 0
    for edge in range(edge_count):
        if labels[sources[edge]] == labels[targets[edge]]:
            inside += 1
    for group in range(groups):
        leaving, entering = 0, 0
        for node in range(count):
            if label[node] == group:
                leaving += out_degree[node]
                entering += in_degree[node]
        expected += leaving * entering
    return (edge_count * inside - expected) / (edge_count * edge_count)


@njit(cache=True)
def _group_matrix(sources, targets, order, label, group, members, place, out_degree, in_degree, matrix):
    """Write the group's B + B^T, with row sums taken off the diagonal, into the top left of `matrix`."""
    size = len(members)
    per_edge = 1.0 / len(sources)
    for row in range(size):
        leaving, entering = out_degree[members[row]] * per_edge, in_degree[members[row]] * per_edge
        for column in range(size):
            node = members[column]
            matrix[row, column] = -(leaving * in_degree[node] + entering * out_degree[node])
    for edge in range(len(sources)):
        source, target = order[sources[edge]], order[targets[edge]]
        if label[source] == group and label[target] == group:
            matrix[place[source], place[target]] += 1.0
            matrix[place[target], place[source]] += 1.0
    for row in range(size):
        matrix[row, row] -= matrix[row, :size].sum()


@njit(cache=True)
def _split_pays(sources, targets, order, label, first, second, members, out_degree, in_degree):
    """Whether Q grows enough by holding the groups `first` and `second` apart."""
    first_out = first_in = second_out = second_in = between = 0
    for node in members:
        if label[node] == first:
            first_out += out_degree[node]
            first_in += in_degree[node]
        else:
            second_out += out_degree[node]
            second_in += in_degree[node]
    for edge in range(len(sources)):
        source, target = label[order[sources[edge]]], label[order[targets[edge]]]
        if (source == first and target == second) or (source == second and target == first):
            between += 1
    edge_count = len(sources)
    gain = first_out * second_in + second_out * first_in - edge_count * between
    return gain > LEAST_GAIN * edge_count * edge_count


@njit(cache=True, fastmath=REORDERABLE)
def _leading_eigenvector(matrix, members, basis, vectors):
    """Write the leading eigenvector of `matrix[:n, :n]`, whose rows sum to zero, into `vectors[1, :n]`.

    The iteration stays orthogonal to the constant vector, which has the eigenvalue 0; where no other eigenvalue is
    positive, the result leads to a split that gains nothing.
    """
    size = len(members)
    reference, result, residual, diagonal, off_diagonal, forward, backward = vectors
    basis[0, :size] = 1.0 / math.sqrt(size)
    for index in range(size):
        residual[index] = reference[members[index]]
    length = _orthogonalise(residual, basis, 1, size)
    steps = 0
    while steps < size - 1:
        current = basis[steps + 1]
        for index in range(size):
            current[index] = residual[index] / length
            residual[index] = 0.0
        for row in range(size):
            weight, line = current[row], matrix[row]
            for index in range(size):
                residual[index] += weight * line[index]
        along = 0.0
        for index in range(size):
            along += current[index] * residual[index]
        diagonal[steps] = along
        steps += 1
        length = _orthogonalise(residual, basis, steps + 1, size)
        off_diagonal[steps - 1] = length
        if length < EXHAUSTED:
            break
    weights = residual  # no longer needed
    _leading_of_tridiagonal(diagonal[:steps], off_diagonal[:steps], forward, backward, weights)
    result[:size] = 0.0
    for step in range(steps):
        weight, line = weights[step], basis[step + 1]
        for index in range(size):
            result[index] += weight * line[index]


@njit(cache=True, fastmath=REORDERABLE)
def _orthogonalise(vector, basis, count, size):
    """Make `vector[:size]` orthogonal to the first `count` rows of `basis`, and return its length."""
    before = 0.0
    for index in range(size):
        before += vector[index] * vector[index]
    while True:
        for row in range(count):
            line = basis[row]
            along = 0.0
            for index in range(size):
                along += line[index] * vector[index]
            for index in range(size):
                vector[index] -= along * line[index]
        after = 0.0
        for index in range(size):
            after += vector[index] * vector[index]
        # Where most of the length cancels, so do the digits: once more (Daniel, Gragg, Kaufman & Stewart 1976).
        if after > 0.25 * before or after < EXHAUSTED * EXHAUSTED:
            return math.sqrt(after)
        before = after


@njit(cache=True)
def _leading_of_tridiagonal(diagonal, off_diagonal, forward, backward, eigenvector):
    """Write the eigenvector of the largest eigenvalue of a symmetric tridiagonal matrix; its entries are positive.

    Args:
        diagonal: (n,).
        off_diagonal: (n,), positive; the last is not part of the matrix.
        forward: (at least n,), scratch.
        backward: (at least n,), scratch.
        eigenvector: (at least n,), overwritten, not normalised.
    """
    size = len(diagonal)
    value = _largest_eigenvalue(diagonal, off_diagonal)
    least = 1e-30  # keeps pivots that vanish by rounding from dividing by zero
    # A twisted factorisation of value I - T (Dhillon 1997): eliminate from both ends, and meet at the row whose pivot
    # is the smallest.
    forward[0] = max(value - diagonal[0], least)
    for row in range(1, size):
        forward[row] = max(value - diagonal[row] - off_diagonal[row - 1] ** 2 / forward[row - 1], least)
    backward[size - 1] = max(value - diagonal[size - 1], least)
    for row in range(size - 2, -1, -1):
        backward[row] = max(value - diagonal[row] - off_diagonal[row] ** 2 / backward[row + 1], least)
    meeting, smallest = 0, math.inf
    for row in range(size):
        pivot = abs(forward[row] + backward[row] - (value - diagonal[row]))
        if pivot < smallest:
            meeting, smallest = row, pivot
    eigenvector[meeting] = 1.0
    for row in range(meeting - 1, -1, -1):
        eigenvector[row] = off_diagonal[row] * eigenvector[row + 1] / forward[row]
    for row in range(meeting + 1, size):
        eigenvector[row] = off_diagonal[row - 1] * eigenvector[row - 1] / backward[row]


@njit(cache=True)
def _largest_eigenvalue(diagonal, off_diagonal):
    """Laguerre's method on the characteristic polynomial p, which from above falls to its largest root, cubically."""
    size = len(diagonal)
    value = diagonal[0]
    for row in range(size):  # Gershgorin
        radius = off_diagonal[row] if row < size - 1 else 0.0
        if row > 0:
            radius += off_diagonal[row - 1]
        value = max(value, diagonal[row] + radius)
    for _ in range(60):
        # p is the product of the pivots of value I - T; slope is p'/p, and curvature -(p'/p)'.
        pivot, first, second = value - diagonal[0], 1.0, 0.0
        if pivot <= 0.0:
            return value
        slope, curvature = first / pivot, 1.0 / (pivot * pivot)
        for row in range(1, size):
            inverse = 1.0 / pivot
            share = off_diagonal[row - 1] ** 2 * inverse * inverse
            second = share * (second - 2.0 * first * first * inverse)
            first = 1.0 + share * first
            pivot = value - diagonal[row] - share * pivot
            if pivot <= 0.0:
                return value  # rounding has carried it onto the root
            ratio = first / pivot
            slope += ratio
            curvature += ratio * ratio - second / pivot
        step = size / (slope + math.sqrt(max(0.0, (size - 1) * (size * curvature - slope * slope))))
        if value - step >= value - 1e-15 * abs(value):
            return value
        value -= step
    return value
