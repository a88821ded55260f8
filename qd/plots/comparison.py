"""Two networks side by side, with what differs marked."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import networkx
import numpy as np

from ..analysis.run import Run
from ..analysis.spread import measured
from ..errors import UsageError
from .architecture import CHANGED, LINE, MARGIN, diagram, svg_text
from .base import Plot

DIFFERENCES = 14
"""Differing genes that are listed; the diagrams show the rest."""
COLUMNS = (MARGIN, 300.0, 440.0, 580.0)

Layer = list[tuple[str, str]]
"""(module, what it is and what enters it)."""
Row = tuple[list[str], bool]
"""Cells of a table, and whether they tell of a difference."""


def comparison(run: Run, ids: Sequence[int]) -> str:
    """An SVG of two candidates' networks, one below the other, and tables of their metrics and genes.

    Raises:
        UsageError: there are not two candidates, or one does not exist or has no ok evaluation.
    """
    if len(ids) != 2:
        raise UsageError(f"`ids`: a comparison needs two candidates, got {len(ids)}")
    rows = [_header(ids), *_metric_rows(run, ids), *_gene_rows(run, ids)]
    first, second = [run.module_graph(id) for id in ids]
    marked = changed_modules(first, second) if first is not None and second is not None else (set(), set())
    drawn = [
        diagram(graph, run.task, f"candidate {id}", run.readable(id), changed)
        for id, graph, changed in zip(ids, (first, second), marked, strict=True)
    ]
    sizes = [_size(one) for one in drawn]
    heights = [height for _, height in sizes]
    width = max(720.0, *[width for width, _ in sizes])
    height = sum(heights) + LINE * (len(rows) + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        drawn[0],
        drawn[1].replace("<svg ", f'<svg y="{heights[0]:.0f}" ', 1),
    ]
    y = sum(heights) + LINE
    for cells, differs in rows:
        fill = CHANGED if differs else "#333"
        for x, cell in zip(COLUMNS, cells, strict=False):
            parts.append(f'<text x="{x}" y="{y:.1f}" fill="{fill}">{svg_text(cell)}</text>')
        y += LINE
    note = "Red: differs. Modules are compared layer by layer; the order of the modules within a layer does not count."
    parts.append(f'<text x="{MARGIN}" y="{y + 6:.1f}" font-size="11" fill="#666">{note}</text></svg>')
    return "\n".join(parts)


def changed_modules(first: networkx.DiGraph, second: networkx.DiGraph) -> tuple[set[str], set[str]]:
    """The modules of each graph that the other does not have, after its layers were aligned."""
    changed: tuple[set[str], set[str]] = (set(), set())
    for left, right in _aligned(_layers(first), _layers(second)):
        changed[0].update(_without_partner(left, right))
        changed[1].update(_without_partner(right, left))
    return changed


def gene_differences(first: Any, second: Any) -> list[tuple[str, str, str]]:
    """(path, value, value) of the places where two genotypes differ; "–" where one has no such place."""
    a, b = _flat(first), _flat(second)
    return [
        (path, a.get(path, "–"), b.get(path, "–")) for path in dict.fromkeys([*a, *b]) if a.get(path) != b.get(path)
    ]


def _layers(graph: networkx.DiGraph) -> list[Layer]:
    found: dict[int, Layer] = defaultdict(list)
    for name, data in graph.nodes(data=True):
        # kinds alone: how many links enter a sum follows from the modules before it, which are compared themselves
        links = sorted({str(edge["kind"]) for _, _, edge in graph.in_edges(name, data=True)})
        found[data["layer"]].append((name, f"{data['kind']} {data['label']} {links}"))
    return [found[layer] for layer in sorted(found)]


def _aligned(first: list[Layer], second: list[Layer]) -> list[tuple[Layer, Layer]]:
    """Pairs of layers in their order, with as many equal modules as can be; a layer may have no partner.

    The alignment of Needleman and Wunsch (1970).
    """
    best = np.zeros((len(first) + 1, len(second) + 1), dtype=np.int64)
    for i, j in np.ndindex(len(first), len(second)):
        shared = len(first[i]) - len(_without_partner(first[i], second[j]))
        best[i + 1, j + 1] = max(best[i, j] + shared, best[i, j + 1], best[i + 1, j])
    pairs: list[tuple[Layer, Layer]] = []
    i, j = len(first), len(second)
    while i or j:
        if i and best[i, j] == best[i - 1, j]:
            i -= 1
            pairs.append((first[i], []))
        elif j and best[i, j] == best[i, j - 1]:
            j -= 1
            pairs.append(([], second[j]))
        else:
            i, j = i - 1, j - 1
            pairs.append((first[i], second[j]))
    return pairs


def _without_partner(modules: Layer, others: Layer) -> list[str]:
    left = Counter(what for _, what in others)
    lonely = []
    for name, what in modules:
        if left[what]:
            left[what] -= 1
        else:
            lonely.append(name)
    return lonely


def _size(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert found
    return float(found[1]), float(found[2])


def _header(ids: Sequence[int]) -> Row:
    return ["", f"candidate {ids[0]}", f"candidate {ids[1]}", "second minus first"], False


def _metric_rows(run: Run, ids: Sequence[int]) -> list[Row]:
    for id in ids:
        run.evaluation_of(id)  # raises where it has none
    found = measured(run, ids)
    first, second = [{name: spread.mean for name, spread in found[id].items()} for id in ids]
    rows: list[Row] = []
    for name, metric in run.metrics.items():
        label = f"{name} [{metric.unit}]" if metric.unit else name
        a, b = first[name], second[name]
        rows.append(([label, f"{a:.5g}", f"{b:.5g}", f"{b - a:+.4g}" if a != b else "equal"], a != b))
    return rows


def _gene_rows(run: Run, ids: Sequence[int]) -> list[Row]:
    genotypes = [run.genotypes([id])[id] for id in ids]
    found = gene_differences(*genotypes)
    rows: list[Row] = [([path, a, b], True) for path, a, b in found[:DIFFERENCES]]
    if len(found) > DIFFERENCES:
        rows.append(([f"and {len(found) - DIFFERENCES} more differing genes"], True))
    return rows


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        inner = [(f"{path}.{name}" if path else name, item) for name, item in value.items()]
    elif isinstance(value, list) and value:
        inner = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        return {path: str(value)}
    return {key: text for place, item in inner for key, text in _flat(item, place).items()}


class Comparison(Plot):
    """`comparison`."""

    about = "two networks, with what differs marked"
    formats = (".svg",)
    draw = staticmethod(comparison)
