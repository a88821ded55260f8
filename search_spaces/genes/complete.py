"""Genotypes of an older or smaller space, completed for a space with more genes."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from .base import Gene, Genotype
from .choice import Choice
from .integer import Integer
from .real import Real
from .repeat import Repeat
from .struct import Struct
from .variant import KIND, Variant
from .vector import Vector


@singledispatch
def default(gene: Gene) -> Genotype:
    """The value that stands in for one that is missing: the first option, the lower bound, the fewest repeats.

    Raises:
        TypeError: the gene is of a kind that this does not know; `default.register` makes it known.
    """
    raise TypeError(f"expected a gene that has a default, got {gene!r}")


@default.register
def _(gene: Choice) -> Genotype:
    return gene.options[0]


@default.register
def _(gene: Integer | Real) -> Genotype:
    return gene.low


@default.register
def _(gene: Repeat) -> Genotype:
    return [default(gene.gene) for _ in range(gene.low)]


@default.register
def _(gene: Struct) -> Genotype:
    return {name: default(inner) for name, inner in gene.fields.items()}


@default.register
def _(gene: Variant) -> Genotype:
    kind, struct = next(iter(gene.variants.items()))
    return {KIND: kind, **default(struct)}


@default.register
def _(gene: Vector) -> Genotype:
    return gene.low.astype(gene.dtype).tolist()


@singledispatch
def complete(gene: Gene, value: Genotype, path: str = "") -> tuple[Genotype, list[str]]:
    """Fill in what a genotype lacks.

    What is there is neither changed nor checked: `gene.validate` says whether the space allows it.

    Returns:
        The genotype with defaults where entries were missing, and these, as "layers[0].dropout = 0.0".
    """
    return value, []


@complete.register
def _(gene: Struct, value: Genotype, path: str = "") -> tuple[Genotype, list[str]]:
    return _complete_fields(gene, value, path) if isinstance(value, dict) else (value, [])


@complete.register
def _(gene: Variant, value: Genotype, path: str = "") -> tuple[Genotype, list[str]]:
    if isinstance(value, dict) and isinstance(value.get(KIND), str) and value[KIND] in gene.variants:
        return _complete_fields(gene.variants[value[KIND]], value, path)
    return value, []


@complete.register
def _(gene: Repeat, value: Genotype, path: str = "") -> tuple[Genotype, list[str]]:
    if not isinstance(value, list):
        return value, []
    pairs = [complete(gene.gene, item, f"{path}[{index}]") for index, item in enumerate(value)]
    return [item for item, _ in pairs], [line for _, lines in pairs for line in lines]


def _complete_fields(gene: Struct, value: dict[str, Any], path: str) -> tuple[Genotype, list[str]]:
    completed, filled = dict(value), []
    for name, inner in gene.fields.items():
        where = f"{path}.{name}" if path else name
        if name in value:
            completed[name], lines = complete(inner, value[name], where)
            filled.extend(lines)
        else:
            completed[name] = default(inner)
            filled.append(f"{where} = {completed[name]!r}")
    return completed, filled
