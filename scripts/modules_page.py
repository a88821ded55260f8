"""Write docs/modules.md, and a picture of each module, from the shelf: `python scripts/modules_page.py`.

What stands above the line `MARK` in that page is written by hand, and kept. `python scripts/modules_page.py NAME` draws
the picture of one module alone.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import networkx
import numpy as np

from qd.plots.circuit_drawing import Box, boxes_of, links_of
from qd.runs.listing import ARXIV, ListedModule, in_words, modules
from search_spaces import Metric

PAGE = Path(__file__).resolve().parents[1] / "docs/modules.md"
PICTURES = PAGE.parent / "images/modules"
MARK = "<!-- From here on this page is made by scripts/modules_page.py. -->"
PORTS = {
    "vector": "(B, W): one vector of W units for each of B examples.",
    "tokens": "(B, T, W): T steps of W units.",
    "image": "(B, W, H, V): W maps of H × V pixels.",
}
SHAPES = {
    *("view", "reshape", "flatten", "unflatten", "transpose", "permute", "mT", "getitem", "chunk", "slice", "expand"),
    *("unsqueeze", "squeeze", "contiguous", "to", "clone", "split", "select", "split_with_sizes", "sym_size", "unbind"),
}
"""Operations that compute nothing."""
MOST = 5
"""Kinds of operations that a part of a picture names."""
SECTION = re.compile(r"^(Args|Raises|Returns|Attributes):\n((?: +.*\n?|\n)*)", re.MULTILINE)
ITEM = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def page(before: str) -> str:
    """The page, with what stands in it by hand."""
    listed = {name: one for name, one in modules().items() if one.own}
    lines = [before.partition(MARK)[0].rstrip(), "", MARK]
    for port, shape in PORTS.items():
        here = {name: one for name, one in listed.items() if one.ports[0] == port}
        also = [name for name, one in listed.items() if port in one.ports[1:]]
        lines += ["", f"## Port {port}", "", shape]
        if also:
            lines += ["", f"Also at this port: {', '.join(f'[{name}](#{name})' for name in also)}."]
        for name, one in here.items():
            lines += entry(name, one)
    return "\n".join(lines) + "\n"


def entry(name: str, one: ListedModule) -> Iterator[str]:
    """The lines of a module."""
    yield from ("", f"### {name}", "", prose(one.text))
    yield from ("", f"![The parts of {name}](images/modules/{name}.svg)")
    facts = [f"Ports: {', '.join(one.ports)}"]
    if "tokens" in one.ports and not one.causal:
        facts.append("looks at later steps, so not for next tokens")
    yield from ("", f"{'; '.join(facts)}.")
    if one.genes:
        yield from ("", "| gene | values |", "|---|---|")
        for gene, values in one.genes.items():
            yield f"| `{gene}` | {in_words(values).replace(' |', ',')} |"
    if one.metrics:
        yield from ("", f"Metrics: {', '.join(f'`{metric}` ({told(what)})' for metric, what in one.metrics.items())}.")


def told(metric: Metric) -> str:
    """Range and unit."""
    return f"{metric.low:g} to {metric.high:g}{f' {metric.unit}' if metric.unit else ''}"


def prose(docstring: str) -> str:
    """A docstring as Markdown: arguments as a list, numbers of arXiv's as links."""

    def listed(section: re.Match[str]) -> str:
        if section[1] != "Args":
            return ""
        items = [f"- `{name}`: {' '.join(text.split())}" for name, text in ITEM.findall(section[2])]
        return "\n".join(["Keys beside `kind`:", "", *items])

    text = SECTION.sub(listed, docstring + "\n").strip()
    return ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", text)


def parts(name: str) -> networkx.DiGraph:
    """The parts of a module of the shelf with the first genes that are drawn, as `torch.export` sees them.

    Parts that compute nothing but another shape are left out of the labels.
    """
    import torch

    from qd.exporting.circuit import circuit
    from qd.registry import Registry
    from qd.training import build_seeded
    from search_spaces.shelf.base import Port

    module = Registry().build("modules", name, {}, name)
    kind = module.ports[0]
    port = Port(kind, 16, {"vector": (), "tokens": (8,), "image": (8, 8)}[kind])
    genes = module.genes.sample(np.random.default_rng(0))
    network = build_seeded(lambda: module.build(genes, port), 0).eval()
    data = circuit(network, torch.zeros(2, *port.shape))
    boxes = boxes_of(data)
    runs = places_of(boxes)
    links = networkx.DiGraph()
    links.add_nodes_from({*runs})
    links.add_edges_from((runs[source], runs[target]) for source, target, _ in links_of(data, boxes))
    whole = networkx.condensation(links)
    graph = networkx.DiGraph()
    for place in whole:
        inside = [box for box, run in zip(boxes, runs, strict=True) if run in whole.nodes[place]["members"]]
        graph.add_node(str(place), label=label(inside), kind=inside[0].title.split(" ")[-1], size=1, layer=0)
        graph.nodes[str(place)]["adds"] = all({*box.operations} <= {"add", *SHAPES} for box in inside)
    for source, target in whole.edges:
        passes = networkx.has_path(networkx.restricted_view(whole, [], [(source, target)]), source, target)
        kind = "residual" if passes and graph.nodes[str(target)]["adds"] else "dense"
        graph.add_edge(str(source), str(target), kind=kind)
    return graph


def places_of(boxes: Sequence[Box]) -> list[int]:
    """For each box the first of those that are drawn as one: parts of a list, and what is done between them."""
    found: list[int] = []
    for place, box in enumerate(boxes):
        around, _, last = box.path.rpartition(".")
        before = next((one for one in range(place - 1, 0, -1) if boxes[one].path), None)
        same = before is not None and last.isdigit() and boxes[before].path.rpartition(".")[0] == around
        found.append(found[before] if same and before is not None else place)
    for place in range(1, len(boxes) - 1):
        if not boxes[place].path and found[place - 1] == found[place + 1]:
            found[place] = found[place - 1]
    return found


def label(boxes: Sequence[Box]) -> str:
    """The part's name, how many there are, and what they compute."""
    done = Counter(one for box in boxes for one in box.operations if one not in SHAPES)
    said = ", ".join(f"{times} × {one}" if times > 1 else one for one, times in list(done.items())[:MOST])
    said += " …" if len(done) > MOST else ""
    paths = [box.path for box in boxes if box.path]
    title = paths[0] if paths else boxes[0].title if boxes[0].title in ("input", "output") else ""
    if len(paths) > 1:
        title = f"{paths[0].rpartition('.')[0]} ({len(paths)})"
    return ": ".join(text for text in (title, said) if text) or "reshape"


def picture(name: str) -> str:
    """The parts of a module as an SVG."""
    from qd.plots.architecture import diagram

    return diagram(parts(name), None, name, "")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    PAGE.write_text(page(PAGE.read_text()))
    for name in sys.argv[1:] or [name for name, one in modules().items() if one.own]:
        (PICTURES / f"{name}.svg").write_text(picture(name))
    print(f"written: {PAGE}")
