"""Where the boxes and links of a module graph go: layers from left to right (Sugiyama et al. 1981)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import networkx

SWEEPS = 6
"""Passes over the columns that move every box towards its neighbours, so that few links cross."""
GAP = 14.0
"""Between boxes of a column, in pixels."""
COLUMN_GAP = 54.0
LANE = 8.0
"""Height that a link takes where it passes through a column."""
LEAST_HEIGHT, MORE_HEIGHT = 34.0, 30.0
"""A box of no units, and what is added for the largest one."""
CHARACTER = 6.9
"""Width of a character of a label."""
MANY = 60
"""Boxes in a column; more than that are drawn small."""


@dataclass(eq=False)
class Box:
    """A module, or a place where a link passes through a column (`name` is None). Pixels; x, y is the middle."""

    name: str | None
    data: dict[str, Any]
    column: int
    width: float = 0.0
    height: float = LANE
    x: float = 0.0
    y: float = 0.0
    on_top: bool = False
    """Residual links pass above the boxes."""
    neighbours: list[Box] = field(default_factory=list)


@dataclass
class Link:
    """An edge, through the boxes that it passes."""

    kind: str
    source: str
    target: str
    path: list[Box]
    weight: float | None = None
    """Where the graph has one."""


@dataclass
class Layout:
    """A drawn-to-scale plan; pixels, from the top left."""

    boxes: list[Box]
    links: list[Link]
    width: float
    height: float


def layout(graph: networkx.DiGraph) -> Layout:
    """Place every module: a column for each layer, or several where a layer has steps of its own."""
    columns = _columns(graph)
    places = {name: Box(name, dict(graph.nodes[name]), column) for name, column in columns.items()}
    largest = max((box.data["size"] for box in places.values()), default=1) or 1
    for box in places.values():
        box.width = max(46.0, CHARACTER * len(str(box.data["label"])) + 18)
        box.height = LEAST_HEIGHT + MORE_HEIGHT * (box.data["size"] / largest) ** 0.5
    filled: dict[int, list[Box]] = defaultdict(list)
    for box in places.values():
        filled[box.column].append(box)
    for boxes in filled.values():
        if len(boxes) > MANY:
            for box in boxes:
                box.height = 16.0
    links = []
    for source, target, data in graph.edges(data=True):
        link = Link(str(data["kind"]), source, target, [places[source]], data.get("weight"))
        for column in range(columns[source] + 1, columns[target]):
            passing = Box(None, {}, column, on_top=link.kind == "residual")
            filled[column].append(passing)
            link.path.append(passing)
        link.path.append(places[target])
        links.append(link)
        for a, b in pairwise(link.path):
            a.neighbours.append(b)
            b.neighbours.append(a)
    ordered = [filled[column] for column in sorted(filled)]
    _order(ordered)
    width, height = _place(ordered)
    return Layout(list(places.values()), links, width, height)


def _columns(graph: networkx.DiGraph) -> dict[str, int]:
    """{module: column}: by layer, and within a layer by the longest way from its beginning."""
    columns: dict[str, int] = {}
    layers = defaultdict(list)
    for name, data in graph.nodes(data=True):
        layers[data["layer"]].append(name)
    start = 0
    for layer in sorted(layers):
        inner = graph.subgraph(layers[layer])
        steps = dict.fromkeys(layers[layer], 0)
        if networkx.is_directed_acyclic_graph(inner):
            for name in networkx.topological_sort(inner):
                steps[name] = max((steps[before] + 1 for before in inner.predecessors(name)), default=0)
        for name in layers[layer]:
            columns[name] = start + steps[name]
        start += max(steps.values()) + 1
    return columns


def _order(columns: list[list[Box]]) -> None:
    for boxes in columns:
        _stack(boxes)
    for sweep in range(SWEEPS):
        for boxes in columns if sweep % 2 == 0 else reversed(columns):
            boxes.sort(key=lambda box: (not box.on_top, _middle(box)))
            _stack(boxes)


def _middle(box: Box) -> float:
    return sum(other.y for other in box.neighbours) / len(box.neighbours) if box.neighbours else box.y


def _stack(boxes: list[Box]) -> float:
    """Give the boxes of a column their y, around 0; returns the column's height."""
    total = sum(box.height for box in boxes) + GAP * (len(boxes) - 1)
    y = -total / 2
    for box in boxes:
        box.y = y + box.height / 2
        y += box.height + GAP
    return total


def _place(columns: list[list[Box]]) -> tuple[float, float]:
    height = max((_stack(boxes) for boxes in columns), default=0.0)
    x = 0.0
    for boxes in columns:
        width = max((box.width for box in boxes), default=0.0)
        for box in boxes:
            box.x = x + width / 2
            box.y += height / 2
            if box.name is None:
                box.width = width
        x += width + COLUMN_GAP
    return max(0.0, x - COLUMN_GAP), height
