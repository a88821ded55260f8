"""Genes inferred from genotypes: what a reader of a log has, who must not import the space."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Gene, Genotype
from .choice import Choice
from .integer import Integer
from .real import Real
from .repeat import Repeat
from .struct import Struct
from .variant import KIND, Variant
from .vector import Vector


def infer_genes(genotypes: Sequence[Genotype]) -> Gene:
    """The narrowest genes that allow all of these genotypes, which are of one space; one genotype at least.

    Which values a space allows beyond those that were seen cannot be known: a list is as long as the longest, and a
    choice among numbers is a range of numbers.
    """
    first = genotypes[0]
    if all(isinstance(value, dict) for value in genotypes):
        return _named(genotypes)
    if all(isinstance(value, list) for value in genotypes):
        return _list(genotypes)
    if isinstance(first, bool) or not all(type(value) in (int, float) for value in genotypes):
        return Choice(*dict.fromkeys(genotypes))
    low, high = min(genotypes), max(genotypes)
    if all(isinstance(value, int) for value in genotypes):
        return Integer(low, high)
    return Real(low, high) if low < high else Choice(first)


def _named(genotypes: Sequence[Genotype]) -> Gene:
    if not all(isinstance(value.get(KIND), str) for value in genotypes):  # then it is a gene that is called so
        return _struct(genotypes, list(genotypes[0]))
    variants: dict[str, list[Genotype]] = {kind: [] for kind in sorted({value[KIND] for value in genotypes})}
    for value in genotypes:
        variants[value[KIND]].append(value)
    return Variant(
        **{kind: _struct(some, [name for name in some[0] if name != KIND]) for kind, some in variants.items()}
    )


def _struct(genotypes: Sequence[Genotype], names: Sequence[str]) -> Struct:
    return Struct(**{name: infer_genes([value[name] for value in genotypes]) for name in names})


def _list(genotypes: Sequence[Genotype]) -> Gene:
    lengths = {len(value) for value in genotypes}
    entries = [entry for value in genotypes for entry in value]
    if not entries:
        return Repeat(Struct(), 0, 0)
    if len(lengths) == 1 and all(type(entry) in (int, float) for entry in entries):
        size = lengths.pop()
        low = [min(value[index] for value in genotypes) for index in range(size)]
        high = [max(value[index] for value in genotypes) for index in range(size)]
        whole = all(isinstance(entry, int) for entry in entries)
        return Vector(low, high, size, "int64" if whole else "float64")
    return Repeat(infer_genes(entries), min(lengths), max(lengths))
