"""Module graphs, as the log holds them."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from ..module_graph import checked_graph

if TYPE_CHECKING:
    import networkx  # loaded where there is a graph: most looking needs none

LARGEST = 1 << 26
"""Bytes of a graph; compressed ones of a stranger may say that they hold any number of them."""


def pack_graph(graph: networkx.DiGraph) -> bytes:
    """Node-link JSON, compressed."""
    import networkx

    return zlib.compress(json.dumps(networkx.node_link_data(graph, edges="edges")).encode(), 1)


def unpack_graph(packed: bytes) -> networkx.DiGraph:
    """The graph that was packed.

    Raises:
        ValueError, zlib.error, networkx.NetworkXError, ...: it is none.
    """
    import networkx

    inflating = zlib.decompressobj()
    text = inflating.decompress(packed, LARGEST)
    if not inflating.eof:
        raise ValueError(f"a module graph is cut, or larger than {LARGEST:,} bytes")
    return checked_graph(networkx.node_link_graph(json.loads(text), directed=True, edges="edges"))
