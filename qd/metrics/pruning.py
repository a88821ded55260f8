"""Which connections of a network lie on a path from an input to an output."""

from __future__ import annotations

import numpy as np

from ..compiled import njit


@njit(cache=True)
def connections_on_paths(edges: np.ndarray, present: np.ndarray, inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the connections of each network that lie on a path from an input to an output.

    Args:
        edges: (E, 2) int64, source and target of every possible connection, in an order in which no connection comes
            before one that ends at its source (layer by layer, say).
        present: (N, E) bool, the connections that each network has.
        inputs: (V,) bool.
        outputs: (V,) bool.

    Returns:
        (N, E) bool, a subset of `present`.
    """
    kept = np.zeros(present.shape, dtype=np.bool_)
    fed = np.empty(len(inputs), dtype=np.bool_)
    used = np.empty(len(inputs), dtype=np.bool_)
    for row in range(present.shape[0]):
        fed[:] = inputs
        used[:] = outputs
        for edge in range(len(edges)):
            fed[edges[edge, 1]] |= present[row, edge] & fed[edges[edge, 0]]
        for edge in range(len(edges) - 1, -1, -1):
            kept[row, edge] = present[row, edge] & used[edges[edge, 1]]
            used[edges[edge, 0]] |= kept[row, edge]
            kept[row, edge] &= fed[edges[edge, 0]]
    return kept
