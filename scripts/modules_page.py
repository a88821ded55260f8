"""Write docs/modules.md from the docstrings of the shelf: `python scripts/modules_page.py`.

What stands above the line `MARK` in that page is written by hand, and kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from qd.runs.listing import ARXIV, ListedModule, in_words, modules
from search_spaces import Metric

PAGE = Path(__file__).resolve().parents[1] / "docs/modules.md"
MARK = "<!-- From here on this page is made by scripts/modules_page.py. -->"
PORTS = {
    "vector": "(B, W): one vector of W units for each of B examples.",
    "tokens": "(B, T, W): T steps of W units.",
    "image": "(B, W, H, V): W maps of H × V pixels.",
}
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


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    print(f"written: {PAGE}")
