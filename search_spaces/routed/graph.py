"""The module graph of a network of `routed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..genes import Genotype
from ..shelf.graphs import add_after

if TYPE_CHECKING:
    import networkx


def module_graph(
    genotype: Genotype, blocks: Sequence[networkx.DiGraph], pool: Sequence[tuple[str, str]]
) -> networkx.DiGraph:
    """Stem, fixed blocks, and for each step its router, the modules of the pool by their numbers, and the sum; head.

    A module of the pool stands in every step, under the number that it has in the genotype, from 0; its genes are said
    in the first.

    Args:
        genotype: of the network.
        blocks: graphs of the fixed blocks.
        pool: (name, genes for people) of each module of the pool.
    """
    import networkx

    graph, width, top_k = networkx.DiGraph(), genotype["width"], genotype["top_k"]
    graph.add_node("stem", label=f"stem {width}", kind="stem", size=width, layer=0)
    ends = ["stem"]
    for number, block in enumerate(blocks, start=1):
        ends = add_after(graph, ends, block, f"fixed{number}", number)
    layer = len(blocks)
    for step in range(1, genotype["steps"] + 1):
        name, layer = f"step{step}", layer + 1
        label = f"router {step}: {top_k} of {len(pool)}, skip {genotype['skip']:.0%}"
        graph.add_node(f"{name}.router", label=label, kind="router", size=len(pool) + top_k, layer=layer)
        graph.add_node(name, label=f"sum {width}", kind="sum", size=width, layer=layer)
        graph.add_edges_from(((end, f"{name}.router") for end in ends), kind="dense")
        for number, (kind, genes) in enumerate(pool):
            label = f"{number} {kind} {genes if step == 1 else ''}".strip()
            graph.add_node(f"{name}.{number}", label=label, kind=kind, size=width, layer=layer)
            graph.add_edge(f"{name}.router", f"{name}.{number}", kind="routed")
            graph.add_edge(f"{name}.{number}", name, kind="routed")
        graph.add_edges_from(((end, name) for end in ends), kind="residual")
        ends = [name]
    graph.add_node("head", label="head", kind="head", size=1, layer=layer + 1)
    graph.add_edges_from(((end, "head") for end in ends), kind="dense")
    return graph
