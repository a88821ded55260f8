"""Module graphs that are put together from the parts of modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx


def add_after(
    graph: networkx.DiGraph, before: Sequence[str], part: networkx.DiGraph, name: str, layer: int
) -> list[str]:
    """Add a module's parts behind what comes before.

    Parts that none of the others feeds read what comes before, and to those that are marked `residual` it is added.

    Args:
        graph: changed in place.
        before: its nodes that the module reads.
        part: the module's own graph.
        name: goes before the names of the parts.
        layer: goes to all of them.

    Returns:
        The nodes that whatever follows reads.
    """
    names = {node: name if len(part) == 1 else f"{name}.{node}" for node in part}
    for node, data in part.nodes(data=True):
        graph.add_node(names[node], **{key: value for key, value in data.items() if key != "residual"})
        graph.nodes[names[node]]["layer"] = layer
    for source, target, data in part.edges(data=True):
        graph.add_edge(names[source], names[target], **{"kind": "dense", **data})
    for node, data in part.nodes(data=True):
        if part.in_degree(node) == 0:
            graph.add_edges_from(((one, names[node]) for one in before), kind="dense")
        elif data.get("residual"):
            graph.add_edges_from(((one, names[node]) for one in before), kind="residual")
    return [names[node] for node in part if part.out_degree(node) == 0]
