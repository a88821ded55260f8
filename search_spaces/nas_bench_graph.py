"""The graph networks of NAS-Bench-Graph, which a table evaluates."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .base import SearchSpace
from .genes import Choice, Genotype, Repeat, Struct

if TYPE_CHECKING:
    import networkx

LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
"""Whose output each of the four nodes takes: 0 is the input, 1 to 4 are the nodes. What nobody takes is the output."""
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = "skip"


class NASBenchGraph(SearchSpace):
    """Networks of four operations on graphs (Qin et al. 2022, NAS-Bench-Graph, arXiv 2206.09166).

    Each of the four nodes takes the output of one other or the input; a node is one of seven graph convolutions, a
    fully connected layer or a skip. Of the 9 × 9⁴ genotypes, 26,206 are different architectures: nodes have no order,
    and most skips can be moved to the input. That all four are skips is no architecture.
    """

    genes = Struct(links=Choice(*LINKS), operations=Repeat(Choice(*OPERATIONS), 4, 4))

    def canonical(self, genotype: Genotype) -> Genotype:
        links, operations = _canonical(genotype["links"], tuple(genotype["operations"]))
        return {"links": links, "operations": list(operations)}

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        """The input, the four operations and the output; sizes say nothing: all are 1."""
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("input", label="input", kind="stem", size=1, layer=0)
        names, layers = ["input"], [0]
        for index, (link, operation) in enumerate(zip(genotype["links"], genotype["operations"], strict=True), start=1):
            name, source = f"node{index}", int(link)
            layer = layers[source] + 1
            graph.add_node(name, label=operation, kind="dense", size=1, layer=layer)
            graph.add_edge(names[source], name, kind="residual" if operation == SKIP else "dense")
            names.append(name)
            layers.append(layer)
        graph.add_node("output", label="output", kind="head", size=1, layer=max(layers) + 1)
        for name in names[1:]:
            if not graph.out_degree(name):
                graph.add_edge(name, "output", kind="dense")
        return graph


class _Nodes(NamedTuple):
    links: list[int]
    operations: list[str]


@lru_cache(maxsize=2**16)  # all genotypes; searches ask for each of them many times
def _canonical(links: str, operations: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    ordered = _ordered(*_skips_first([int(link) for link in links], list(operations)))
    return "".join(str(link) for link in ordered.links), tuple(ordered.operations)


def _skips_first(links: list[int], operations: list[str]) -> _Nodes:
    """Move skips to the input, by the rules with which the benchmark tells architectures apart.

    A skip that others follow, or that has no sibling, changes nothing where it is; nor does one that the input reaches
    through skips alone. A skip that ends beside others stays: it hands on what they work on.
    """
    for node in range(len(links)):
        if operations[node] != SKIP:
            continue
        followed = node + 1 in links
        sibling = links.count(links[node]) > 1
        if followed or not sibling or _reached_by_skips(node, links, operations):
            operations = [SKIP, *operations[:node], *operations[node + 1 :]]
            taken = [links[node] if link == node + 1 else link for link in links]
            moved = [link + 1 if link <= node else link for link in taken]
            links = [0, *moved[:node], *moved[node + 1 :]]
    return _Nodes(links, operations)


def _reached_by_skips(node: int, links: list[int], operations: list[str]) -> bool:
    while node >= 0:
        if operations[node] != SKIP:
            return False
        node = links[node] - 1
    return True


def _ordered(links: list[int], operations: list[str]) -> _Nodes:
    """Number the nodes by their distance from the input; of equals, larger branches first, then by operations."""
    followers = {source: [node for node, link in enumerate(links, 1) if link == source] for source in range(5)}

    def rank(node: int) -> tuple[int, str, list[object]]:
        inner = sorted(map(rank, followers[node]))
        return -1 - sum(-size for size, _, _ in inner), operations[node - 1], list(inner)

    row, ordered = [0], _Nodes([], [])
    for position, source in enumerate(row):  # grows while it is walked through
        for node in sorted(followers[source], key=rank):
            row.append(node)
            ordered.links.append(position)
            ordered.operations.append(operations[node - 1])
    return ordered
