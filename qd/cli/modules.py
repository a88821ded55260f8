"""qd modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from .output import stdout

if TYPE_CHECKING:
    from ..runs.listing import ListedModule


def modules() -> None:
    """List the modules that `space: {kind: chain, modules: [...]}` may name: ports, what it is, papers, genes.

    docs/modules.md says more of each.

    Example: `qd modules`
    """
    from ..runs.listing import modules as find

    table = Table(box=None, pad_edge=False)
    table.add_column("module", no_wrap=True)
    table.add_column("ports", no_wrap=True)
    table.add_column("what it is", ratio=3)
    table.add_column("genes", ratio=2)
    for name, one in find().items():
        table.add_row(name, "\n".join(one.ports), escape(_told(one)), escape(_genes(one)))
        table.add_row()
    stdout().print(table)


def _told(one: ListedModule) -> str:
    from ..runs.listing import ARXIV

    papers = [f"arXiv {number[1]}" if (number := ARXIV.search(paper)) else paper for paper in one.papers]
    lines = [one.about, ", ".join(papers), "" if one.own else "of an installed package"]
    return "\n".join(line for line in lines if line)


def _genes(one: ListedModule) -> str:
    from ..runs.listing import in_words

    return "\n".join(f"{name}: {in_words(gene)}" for name, gene in one.genes.items())
