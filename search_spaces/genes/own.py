"""Which genes are this project's own, through and through."""

from __future__ import annotations

from .base import Gene
from .choice import Choice
from .integer import Integer
from .real import Real
from .repeat import Repeat
from .struct import Struct
from .variant import Variant


def is_own_tree(gene: Gene) -> bool:
    """Whether neither a gene nor one within it is a stranger's: then what they draw is valid, plain, and nobody else's.

    A `Vector` is none: its genotypes are no trees.
    """
    kind = type(gene)  # a subclass may do anything
    if isinstance(gene, Struct):
        return kind is Struct and all(map(is_own_tree, gene.fields.values()))
    if isinstance(gene, Variant):
        return kind is Variant and all(map(is_own_tree, gene.variants.values()))
    if isinstance(gene, Repeat):
        return kind is Repeat and is_own_tree(gene.gene)
    return kind in (Choice, Integer, Real)
