"""Modularity above chance: what a graph's modularity owes to more than its size and degrees.

Sparse graphs have a high Q by chance alone, so Q is set against that of random graphs with the same in- and out-degrees
(Maslov & Sneppen, "Specificity and stability in topology of protein networks", 2002): two edges a -> b and c -> d
become a -> d and c -> b, again and again, never with an edge given twice or from a node to itself.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import networkx
import numpy as np
from pydantic import Field

from search_spaces import Metric

from ..compiled import njit
from .graph_metric import GraphMetric
from .modularity import modularities, new_workspace, numbered_edges, split_graph

SWAPS_PER_EDGE = 10
"""Attempted swaps between two random graphs, for each edge."""


def modularity_above_chance(graph: networkx.DiGraph, seed: int, samples: int = 20) -> float:
    """Return Q minus the mean Q of `samples` random graphs with the same degrees; `seed` is in [0, 2**63)."""
    edges, node_count = numbered_edges(graph)
    present = np.ones((1, len(edges)), dtype=np.bool_)
    return float(modularities_above_chance(edges, present, node_count, np.array([seed], dtype=np.uint64), samples)[0])


class ModularityAboveChance(GraphMetric):
    """Directed modularity of the module graph, minus that of random graphs with the same degrees.

    Args:
        samples: random graphs that it is set against; they follow from the graph, so that nothing is random.
        name: of the metric.
    """

    def __init__(self, samples: Annotated[int, Field(ge=1)] = 20, name: str = "modularity_above_chance") -> None:
        super().__init__(name, Metric("", -1.5, 1.5))
        self.samples = samples

    def of(self, graph: networkx.DiGraph) -> float:
        edges, node_count = numbered_edges(graph)
        digest = hashlib.blake2b(f"{node_count} {edges.tolist()}".encode(), digest_size=7).digest()
        return modularity_above_chance(graph, int.from_bytes(digest), self.samples)


def modularities_above_chance(
    edges: np.ndarray, present: np.ndarray, node_count: int, seeds: np.ndarray, samples: int = 20
) -> np.ndarray:
    """Return Q minus the mean Q of random graphs with the same degrees, for each graph.

    Args:
        edges: (E, 2) int64, source and target of every possible edge, all different, in [0, node_count).
        present: (N, E) bool, the edges that each graph has. Random graphs may have others than `edges`.
        node_count: V.
        seeds: (N,) uint64; a graph's result depends on its own seed alone. Those of
            `qd.metrics.topology_cache.hash_keys` make it a function of the graph.
        samples: random graphs for each graph; the cost is that of this many modularities.

    Returns:
        (N,) float64; 0 without edges.
    """
    return modularities(edges, present, node_count) - _chance(edges, present, node_count, seeds, samples)


@njit(cache=True)
def _chance(edges, present, node_count, seeds, samples):
    """Return the mean Q of `samples` random graphs with the degrees of each graph, (N,) float64."""
    means = np.zeros(len(present))
    adjacent = np.zeros((node_count, node_count), dtype=np.bool_)
    labels = np.empty(node_count, dtype=np.int64)
    sources = np.empty(len(edges), dtype=np.int64)
    targets = np.empty(len(edges), dtype=np.int64)
    workspace = new_workspace(node_count)
    for row in range(len(present)):
        count = 0
        for edge in range(len(edges)):
            if present[row, edge]:
                sources[count] = edges[edge, 0]
                targets[count] = edges[edge, 1]
                count += 1
        state = seeds[row]
        for _ in range(samples):
            state = rewire(sources[:count], targets[:count], adjacent, state)
            means[row] += split_graph(sources[:count], targets[:count], workspace, labels) / samples
    return means


@njit(cache=True)
def rewire(sources, targets, adjacent, state):
    """Attempt `SWAPS_PER_EDGE` swaps for each edge, in place, and return the next state of the generator.

    Args:
        sources: (M,) int64, where each edge starts; swaps leave it as it is.
        targets: (M,) int64, where each edge ends; overwritten.
        adjacent: (V, V) bool, scratch, all False before and after.
        state: uint64.
    """
    count = len(sources)
    for edge in range(count):
        adjacent[sources[edge], targets[edge]] = True
    for _ in range(SWAPS_PER_EDGE * count):
        first, state = _below(count, state)
        second, state = _below(count, state)
        source, target = sources[first], targets[first]
        other_source, other_target = sources[second], targets[second]
        if (
            source == other_target
            or other_source == target
            or adjacent[source, other_target]
            or adjacent[other_source, target]
        ):
            continue
        adjacent[source, target] = adjacent[other_source, other_target] = False
        adjacent[source, other_target] = adjacent[other_source, target] = True
        targets[first], targets[second] = other_target, target
    for edge in range(count):
        adjacent[sources[edge], targets[edge]] = False
    return state


@njit(cache=True)
def _below(count, state):
    """Return a random integer in [0, count), and the next state: splitmix64 (Steele, Lea & Flood 2014)."""
    state += np.uint64(0x9E3779B97F4A7C15)
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.int64(((mixed >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)), state
