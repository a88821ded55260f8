"""What a module graph must be, for whoever logs, draws or measures one that a space gave."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import networkx

LARGEST = 2**53
"""Of a size or layer: beyond, whole numbers are not exact in every tool."""
COMPUTE = ("macs", "macs_per_input", "macs_per_output")


def checked_graph(graph: Any) -> networkx.DiGraph:
    """A copy of a module graph as `SearchSpace.module_graph` describes it, in plain data.

    Names of nodes become strings, and numpy's numbers, or floats that are whole, Python's. An edge without a kind is
    dense.

    Raises:
        ValueError: it is none; the message says where.
    """
    import networkx

    if not isinstance(graph, networkx.DiGraph) or graph.is_multigraph():
        raise ValueError(f"expected a networkx.DiGraph, got {type(graph).__name__}")
    if not len(graph):
        raise ValueError("expected at least one node, got none")
    names = {node: str(node) for node in graph}
    if len({*names.values()}) < len(names):
        raise ValueError("expected nodes with names that differ as strings")
    copy = networkx.DiGraph(**_plain(graph.graph, "the graph"))
    for node, data in graph.nodes(data=True):
        copy.add_node(names[node], **_node(data, f"node {names[node]!r}"))
    for source, target, data in graph.edges(data=True):
        where = f"edge {names[source]!r} -> {names[target]!r}"
        copy.add_edge(names[source], names[target], **_edge(data, where))
        if copy.nodes[names[source]]["layer"] > copy.nodes[names[target]]["layer"]:
            raise ValueError(f"{where}: expected layers that do not go down")
    if not networkx.is_directed_acyclic_graph(copy):
        raise ValueError("expected no cycle: what flows through a network flows one way")
    return copy


def _node(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = _plain(data, where)
    for name in ("label", "kind"):
        if not isinstance(given.get(name), str):
            raise ValueError(f"{where}: expected a text as {name}, got {given.get(name)!r}")
    for name in ("size", "layer"):
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 or not 0 <= value <= LARGEST:
            raise ValueError(f"{where}: expected a whole number of at least 0 as {name}, got {_short(value)}")
        given[name] = int(value)
    for name in COMPUTE:
        value = given.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            raise ValueError(f"{where}: expected a number of at least 0 as {name}, got {_short(value)}")
    return given


def _edge(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = {"kind": "dense", **_plain(data, where)}
    if not isinstance(given["kind"], str):
        raise ValueError(f"{where}: expected a text as kind, got {given['kind']!r}")
    return given


def _plain(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The attributes, as JSON gives them back."""
    plain = {}
    for name, value in data.items():
        value = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
        try:
            if not isinstance(name, str) or (isinstance(value, int | float) and not math.isfinite(value)):
                raise ValueError(f"{name!r}: {_short(value)}")
            f"{name}{value}".encode()
            plain[name] = json.loads(json.dumps(value))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{where}: expected plain data as attributes, got {error}") from None
    return plain


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 1e100 else "a number of more than 100 digits"
    return text if len(text) <= 100 else f"{text[:100]}…"
