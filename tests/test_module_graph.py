"""Module graphs of strangers: taken where they say what is needed, refused with the place where they do not."""

from typing import Any

import networkx
import numpy as np
import pytest

from qd.module_graph import checked_graph
from qd.store.graphs import pack_graph, unpack_graph


def graph(names: tuple[Any, Any] = ("a", "b"), edge: dict[str, Any] | None = None, **changes: Any) -> networkx.DiGraph:
    """Two nodes and an edge; the first node has the changes, and lacks what is None."""
    made = networkx.DiGraph()
    data = {"label": "L", "kind": "dense", "size": 8, "layer": 0}
    made.add_node(names[0], **{name: value for name, value in {**data, **changes}.items() if value is not None})
    made.add_node(names[1], **data | {"layer": 1})
    made.add_edge(*names, **({"kind": "dense"} if edge is None else edge))
    return made


def with_edge(source: str, target: str) -> networkx.DiGraph:
    made = graph(layer=1)
    made.add_edge(source, target, kind="dense")
    return made


TAKEN = {
    "numpy's integers": graph(size=np.int64(8)),
    "whole floats": graph(size=8.0),
    "numpy's floats": graph(size=np.float32(8)),
    "numbers as names": graph((1, 2)),
    "tuples as names": graph((("a", 0), ("b", 1))),
    "no units": graph(size=0),
    "an edge of no kind": graph(edge={}),
    "a kind of one's own": graph(edge={"kind": "wormhole"}),
    "compute": graph(macs=np.int64(3), macs_per_input=0.5),
    "more attributes": graph(note="<b>&é", shape=(1, 2), array=np.arange(2)),
}

REFUSED = {
    "no graph": ({"a": ["b"]}, "expected a networkx.DiGraph, got dict"),
    "no directions": (networkx.Graph(graph()), "expected a networkx.DiGraph, got Graph"),
    "several edges": (networkx.MultiDiGraph(graph()), "expected a networkx.DiGraph, got MultiDiGraph"),
    "no nodes": (networkx.DiGraph(), "at least one node"),
    "equal names": (graph((1, "1")), "names that differ"),
    "no label": (graph(label=None), "node 'a': expected a text as label, got None"),
    "no size": (graph(size=None), "node 'a': expected a whole number of at least 0 as size, got None"),
    "a size in words": (graph(size="8"), "as size, got '8'"),
    "half a unit": (graph(size=0.5), "as size, got 0.5"),
    "NaN": (graph(size=float("nan")), "node 'a': expected plain data as attributes, got 'size': nan"),
    "infinity": (graph(size=float("inf")), "got 'size': inf"),
    "a negative size": (graph(size=-3), "as size, got -3"),
    "a size of 400 digits": (graph(size=10**400), "node 'a': expected plain data"),
    "a large size": (graph(size=2**60), "as size, got 1152921504606846976"),
    "no layer": (graph(layer=None), "as layer, got None"),
    "compute that is none": (graph(macs=-1), "expected a number of at least 0 as macs, got -1"),
    "a module": (graph(module=np), "node 'a': expected plain data as attributes, got Object of type module"),
    "half a character": (graph(label="\ud800"), "node 'a': expected plain data as attributes, got 'utf-8' codec"),
    "an edge of an odd kind": (graph(edge={"kind": 3}), "edge 'a' -> 'b': expected a text as kind, got 3"),
    "a way back": (with_edge("b", "a"), "expected no cycle"),
    "a loop": (with_edge("a", "a"), "expected no cycle"),
    "layers that go down": (graph(layer=2), "edge 'a' -> 'b': expected layers that do not go down"),
}


@pytest.mark.parametrize("given", TAKEN.values(), ids=TAKEN)
def test_what_has_one_meaning_is_taken_as_plain_data(given: networkx.DiGraph) -> None:
    taken = checked_graph(given)
    assert [*taken] == [str(name) for name in given]
    for _, data in taken.nodes(data=True):
        assert {name: type(data[name]) for name in ("label", "kind", "size", "layer")} == {
            "label": str,
            "kind": str,
            "size": int,
            "layer": int,
        }
    back = unpack_graph(pack_graph(taken))
    assert dict(back.nodes(data=True)) == dict(taken.nodes(data=True))
    assert [*back.edges(data=True)] == [*taken.edges(data=True)]


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_module_graph_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_graph(given)


def test_the_graph_is_a_copy() -> None:
    given = graph()
    checked_graph(given).nodes["a"]["size"] = 0
    assert given.nodes["a"]["size"] == 8
