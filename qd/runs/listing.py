"""What a run file may name: spaces with their genes, modules of the shelf, evaluators with their metrics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass

from evaluators import Metric
from search_spaces import Choice, Gene, Integer, Real, Repeat, Struct, Variant

from ..registry import Registry, is_own, names

MANY = 4
"""Kinds of a part, beyond which a line names them without their genes."""
CITATION = re.compile(r"\s*\(([^()]*(?:\barXiv \d{4}\.\d{4,5}|\b(?:19|20)\d\d\b)[^()]*)\)")
ARXIV = re.compile(r"\barXiv (\d{4}\.\d{4,5})")


def spaces() -> dict[str, Gene]:
    """{name of a search space: its genes, as they are without arguments}."""
    return {name: Registry().build("spaces", name, {}, name).genes for name in names("spaces")}


def evaluators() -> dict[str, dict[str, Metric]]:
    """{name of an evaluator: its metrics}; none of one whose metrics the run file declares."""
    registry, found = Registry(), {}
    for name in names("evaluators"):
        one = registry.find("evaluators", name, name)
        # some declare metrics on the class, others in __init__, where options may add to them
        if not hasattr(one, "metrics"):
            one = registry.construct(one, {}, name) if one.evaluates else None
        found[name] = dict(one.metrics) if one is not None else {}
    return found


@dataclass(frozen=True)
class ListedModule:
    """What there is to know of a module of the shelf before it is used.

    Args:
        ports: "vector", "tokens", "image".
        genes: {name: gene}, as they are without arguments.
        metrics: what it reports, the mean over layers.
        causal: of tokens: whether it can stand where no step may look at a later one.
        text: its docstring.
        own: whether it comes with `qd`; else an installed package brings it.
    """

    ports: tuple[str, ...]
    genes: Mapping[str, Gene]
    metrics: Mapping[str, Metric]
    causal: bool
    text: str
    own: bool

    @property
    def about(self) -> str:
        """The first sentence of its docstring, without what it cites."""
        first = " ".join(CITATION.sub("", self.text).partition("\n\n")[0].split())
        return re.split(r"(?<!et al)\.(?:\s|$)", first)[0].rstrip(":")

    @property
    def papers(self) -> list[str]:
        """What its docstring cites: in brackets with a year or a number of arXiv's; else all such numbers."""
        flat = " ".join(self.text.split())
        found = [one.strip() for one in CITATION.findall(flat)]
        cited = {number for one in found for number in ARXIV.findall(one)}
        return found + [f"arXiv {number}" for number in dict.fromkeys(ARXIV.findall(flat)) if number not in cited]


def modules() -> dict[str, ListedModule]:
    """{name of a module that a run file may name: what it is}: the shelf, and those of installed packages."""
    found = {}
    for name in names("modules"):
        one = Registry().build("modules", name, {}, name)
        text = inspect.getdoc(type(one)) or ""
        found[name] = ListedModule(
            tuple(one.ports), one.genes.fields, one.metrics, one.causal, text, is_own("modules", name)
        )
    return found


def in_words(gene: Gene) -> str:
    """What values a gene has, on one line: "8 to 128, log", "relu | silu"."""
    match gene:
        case Choice(options=options):
            return " | ".join(map(str, options))
        case Integer() | Real():
            return f"{gene.low:g} to {gene.high:g}{', log' if gene.log else ''}"
        case Repeat(gene=part, low=low, high=high):
            count = str(low) if low == high else f"{low} to {high}"
            return (
                f"{count} × {in_words(part)}" if isinstance(part, Variant | Struct) else f"{count} × ({in_words(part)})"
            )
        case Struct(fields=fields):
            return f"({'; '.join(f'{name}: {in_words(part)}' for name, part in fields.items())})" if fields else ""
        case Variant(variants=variants) if len(variants) > MANY:
            return f"one of {', '.join(variants)}"
        case Variant(variants=variants):
            return " or ".join(f"{name} {in_words(part)}".rstrip() for name, part in variants.items())
        case _:
            return repr(gene)
