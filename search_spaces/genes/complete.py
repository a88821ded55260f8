"""Genotypes of an older or smaller space, completed for a space with more genes."""

from __future__ import annotations

from typing import Any

from . import KIND, Choice, Gene, Genotype, Integer, Real, Repeat, Struct, Variant
from .vector import Vector


def default(gene: Gene) -> Genotype:
    """The value that stands in for one that is missing: the first option, the lower bound, the fewest repeats.

    Raises:
        TypeError: the gene is of a kind that this does not know.
    """
    if isinstance(gene, Choice):
        return gene.options[0]
    if isinstance(gene, Integer | Real):
        return gene.low
    if isinstance(gene, Repeat):
        return [default(gene.gene) for _ in range(gene.low)]
    if isinstance(gene, Struct):
        return {name: default(inner) for name, inner in gene.fields.items()}
    if isinstance(gene, Variant):
        kind, struct = next(iter(gene.variants.items()))
        return {KIND: kind, **default(struct)}
    if isinstance(gene, Vector):
        return gene.low.astype(gene.dtype).tolist()
    raise TypeError(f"expected a gene that has a default, got {gene!r}")


def complete(gene: Gene, value: Genotype, path: str = "") -> tuple[Genotype, list[str]]:
    """Fill in what a genotype lacks.

    What is there is neither changed nor checked: `gene.validate` says whether the space allows it.

    Returns:
        The genotype with defaults where entries were missing, and these, as "layers[0].dropout = 0.0".
    """
    if isinstance(gene, Struct) and isinstance(value, dict):
        return _complete_fields(gene, value, path)
    if isinstance(gene, Variant) and isinstance(value, dict) and value.get(KIND) in gene.variants:
        return _complete_fields(gene.variants[value[KIND]], value, path)
    if isinstance(gene, Repeat) and isinstance(value, list):
        pairs = [complete(gene.gene, item, f"{path}[{index}]") for index, item in enumerate(value)]
        return [item for item, _ in pairs], [line for _, lines in pairs for line in lines]
    return value, []


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
