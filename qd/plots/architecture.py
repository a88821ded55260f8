"""Architecture diagrams: the modules of a network as an SVG, drawn from the graph in the log."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping
from html import escape
from itertools import pairwise

import networkx

from search_spaces import Task
from search_spaces.task import Tokens

from ..analysis.folding import FoldedLog
from ..analysis.module_graph import module_graph
from .base import Plot
from .diagram_layout import Box, Layout, Link, layout
from .lineage import best_candidate

KINDS = {
    "stem": "#dfe7ee",
    "dense": "#bcd9ee",
    "router": "#fbe0b5",
    "expert": "#c5e6d9",
    "sum": "#f4f4f4",
    "head": "#dfe7ee",
}
OTHERS = ("#e3d3e8", "#f5d5cb", "#e6e6c3", "#d3ecf5", "#e0e0e0")
"""Fills of kinds that are not among the above, in the order in which they come."""
LINKS = {
    "dense": ("#8a97a3", "", 1.1),
    "routed": ("#d98200", "6 4", 1.3),
    "residual": ("#7b52ab", "", 1.6),
    "sparse": ("#4d9078", "1 4", 1.3),
}
"""{kind of link: colour, dashes, width}."""
CHANGED = "#d1345b"
MARGIN = 18.0
LINE = 17.0
ENDS = 96.0
"""Width of what stands for the input, or the output, of the whole network."""
WRAP = 7.2
"""Width of a character of the line below the diagram."""


def architecture(run: FoldedLog, id: int | None = None) -> str:
    """The SVG of a candidate's network; default: the best elite.

    Raises:
        UsageError: there is no such candidate, or no elite yet.
    """
    id = id if id is not None else best_candidate(run)
    readable = run.readable(id)
    return diagram(module_graph(run, id), run.task, f"{run.config.space.kind}, candidate {id}", readable)


def diagram(
    graph: networkx.DiGraph | None,
    task: Task | None,
    title: str,
    readable: str,
    changed: Collection[str] = (),
) -> str:
    """Draw a module graph; without one, the text alone.

    Args:
        graph: as `SearchSpace.module_graph` gives it.
        task: of the network, where it is known.
        title: above.
        readable: the genotype for people, below.
        changed: modules to mark.
    """
    plan = layout(graph) if graph is not None and len(graph) else Layout([], [], 420.0, 0.0)
    ends = ENDS if task and plan.boxes else 0.0
    width = max(420.0, plan.width + 2 * (MARGIN + ends))
    lines = textwrap.wrap(readable, max(40, int((width - 2 * MARGIN) / WRAP)), break_long_words=True) or [""]
    top = MARGIN + LINE * 1.6
    legend_y = top + plan.height + (LINE * 1.8 if plan.boxes else 0.0)
    legend, legend_lines = _legend(plan, width, legend_y)
    text_y = legend_y + legend_lines * LINE + LINE * 0.6
    height = text_y + LINE * len(lines)
    dx = MARGIN + ends + max(0.0, (width - 2 * (MARGIN + ends) - plan.width) / 2)
    fills = _fills(plan.boxes)
    shares = compute_shares(graph, task) if graph is not None else {}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" role="img" font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f"<title>{svg_text(title)}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 4}" font-weight="bold">{svg_text(title)}</text>',
        f'<g transform="translate({dx:.1f} {top:.1f})">',
        *[_link(link) for link in plan.links],
        *(_ends(plan, task) if ends and task else []),
        *[_box(box, fills, shares.get(str(box.name)), str(box.name) in changed) for box in plan.boxes],
        "</g>",
        *legend,
        *[
            f'<text x="{MARGIN}" y="{text_y + LINE * index:.1f}" font-family="monospace" fill="#333">'
            f"{svg_text(line)}</text>"
            for index, line in enumerate(lines)
        ],
        "</svg>",
    ]
    return "\n".join(parts)


def compute_shares(graph: networkx.DiGraph, task: Task | None) -> dict[str, float]:
    """{module: share of the multiply-accumulate operations, in [0, 1]}; empty where the graph does not say.

    What depends on the task's sizes is left out where the task is not known, so then there are no shares either.
    """
    # tokens are looked up, not multiplied
    inputs = (0 if isinstance(task.input, Tokens) else math.prod(task.input_shape)) if task else None
    outputs = task.outputs if task else None
    macs: dict[str, float] = {}
    for name, data in graph.nodes(data=True):
        total = float(data.get("macs", 0))
        for key, size in (("macs_per_input", inputs), ("macs_per_output", outputs)):
            if key in data:
                if size is None:
                    return {}
                total += data[key] * size
        macs[name] = total
    total = sum(macs.values())
    return {name: value / total for name, value in macs.items()} if total > 0 else {}


def _fills(boxes: list[Box]) -> dict[str, str]:
    unknown = dict.fromkeys(box.data["kind"] for box in boxes if box.data["kind"] not in KINDS)
    return KINDS | {kind: OTHERS[index % len(OTHERS)] for index, kind in enumerate(unknown)}


def _box(box: Box, fills: Mapping[str, str], share: float | None, changed: bool) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    stroke = f'stroke="{CHANGED}" stroke-width="3"' if changed else 'stroke="#5b6770"'
    told = f"{box.data['label']} ({box.data['kind']}, {box.data['size']} units)"
    parts = [f"<g><title>{svg_text(told)}</title>"]
    parts.append(
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4"'
        f' fill="{fills[box.data["kind"]]}" {stroke}/>'
    )
    with_share = share is not None and share > 0 and box.height >= 30
    y = box.y + (-2 if with_share else 4)
    parts.append(f'<text x="{box.x:.1f}" y="{y:.1f}" text-anchor="middle">{svg_text(str(box.data["label"]))}</text>')
    if with_share and share is not None:
        parts.append(
            f'<text x="{box.x:.1f}" y="{box.y + 12:.1f}" text-anchor="middle" font-size="10" fill="#444">'
            f"{_percent(share)}</text>"
        )
        parts.append(
            f'<rect x="{left:.1f}" y="{top + box.height - 3:.1f}" width="{box.width * share:.1f}" height="3"'
            ' fill="#333" fill-opacity="0.6"/>'
        )
    return "".join(parts) + "</g>"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "&lt;1%"


def _link(link: Link) -> str:
    colour, dashes, width = _style(link.kind)
    first, last = link.path[0], link.path[-1]
    points = [(first.x + first.width / 2, first.y)]
    for box in link.path[1:-1]:
        points += [(box.x - box.width / 2, box.y), (box.x + box.width / 2, box.y)]
    points.append((last.x - last.width / 2, last.y))
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (ax, ay), (bx, by) in pairwise(points):
        middle = (ax + bx) / 2
        path += f" C{middle:.1f} {ay:.1f} {middle:.1f} {by:.1f} {bx:.1f} {by:.1f}"
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    weight = "" if link.weight is None else f", weight {link.weight:g}"
    told = f"{link.source} → {link.target} ({link.kind}{weight})"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}>'
        f"<title>{svg_text(told)}</title></path>"
    )


def _style(kind: str) -> tuple[str, str, float]:
    return LINKS.get(kind, ("#333333", "10 3 2 3", 1.1))


def _ends(plan: Layout, task: Task) -> list[str]:
    """The input and the output of the whole network, with their shapes."""
    shape = " × ".join(map(str, task.input_shape))
    parts = []
    layers = [box.data["layer"] for box in plan.boxes]
    inputs = [box for box in plan.boxes if box.data["layer"] == min(layers)]
    outputs = [box for box in plan.boxes if box.data["layer"] == max(layers)]
    y_in = sum(box.y for box in inputs) / max(1, len(inputs))
    y_out = sum(box.y for box in outputs) / max(1, len(outputs))
    for box in inputs:
        parts.append(_line(-34, y_in, box.x - box.width / 2, box.y))
    for box in outputs:
        parts.append(_line(box.x + box.width / 2, box.y, plan.width + 34, y_out))
    parts += [_words(-66, y_in, "input", shape), _words(plan.width + 66, y_out, "output", str(task.outputs))]
    return parts


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#8a97a3" stroke-width="1.1"/>'


def _words(x: float, y: float, first: str, second: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y - 2:.1f}" text-anchor="middle" fill="#333">{svg_text(first)}</text>'
        f'<text x="{x:.1f}" y="{y + 13:.1f}" text-anchor="middle" font-size="11" fill="#333">{svg_text(second)}</text>'
    )


def _legend(plan: Layout, width: float, y: float) -> tuple[list[str], int]:
    """What kinds of links there are, and what the bars mean; returns the elements and how many lines they take."""
    entries = [(kind, f"{kind} link") for kind in dict.fromkeys(link.kind for link in plan.links)]
    if any("macs" in key for box in plan.boxes for key in box.data):
        entries.append(("", "% and bar: share of the multiply-accumulate operations"))
    parts, x, row = [], MARGIN, 0
    for kind, text in entries:
        need = (36 if kind else 0) + 6.4 * len(text) + 22
        if x + need > width and x > MARGIN:
            x, row = MARGIN, row + 1
        line_y = y + row * LINE
        if kind:
            colour, dashes, stroke = _style(kind)
            dash = f' stroke-dasharray="{dashes}"' if dashes else ""
            parts.append(
                f'<line x1="{x:.1f}" y1="{line_y - 4:.1f}" x2="{x + 28:.1f}" y2="{line_y - 4:.1f}" stroke="{colour}"'
                f' stroke-width="{stroke + 0.6}"{dash}/>'
            )
        start = x + (34 if kind else 0)
        parts.append(f'<text x="{start:.1f}" y="{line_y:.1f}" font-size="11" fill="#444">{svg_text(text)}</text>')
        x += need
    return parts, row + 1 if entries else 0


def svg_text(text: str) -> str:
    """Escaped; characters that XML does not allow are shown as a replacement."""
    return escape("".join(one if one.isprintable() or one == " " else "\ufffd" for one in text))


class Architecture(Plot):
    """`architecture`."""

    about = "the modules of a network, as a diagram"
    formats = (".svg",)
    draw = staticmethod(architecture)
