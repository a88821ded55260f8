"""What a space says of a genotype: its key, its canonical form, its module graph. Its code may fail."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from search_spaces import Genotype, Invalid, SearchSpace
from search_spaces.genes import copy_tree, to_json

from .interrupts import Interrupted, told_apart
from .module_graph import checked_graph

if TYPE_CHECKING:
    import networkx

logger = logging.getLogger(__name__)


def key_or_error(space: SearchSpace, genotype: Genotype) -> str | BaseException:
    """The space's key of a genotype, or what its code raised instead, be it `SystemExit`."""
    try:
        with told_apart():
            key = space.key(copy_tree(genotype))
            if not isinstance(key, str):
                raise TypeError(f"{type(space).__name__}.key must return a string, got {key!r}")
            key.encode()
            return key
    except Interrupted:
        raise
    except BaseException as error:
        return error


def key_of(space: SearchSpace, genotype: Genotype) -> str:
    """The space's key of a genotype, or where it has none the genotype itself: then nothing but its copies equal it."""
    key = key_or_error(space, genotype)
    return key if isinstance(key, str) else to_json(genotype)


def keys_of(space: SearchSpace, genotypes: Iterable[Genotype]) -> list[str]:
    """`key_of` each of the genotypes, quicker."""
    trees = list(genotypes)
    try:
        with told_apart():
            keys = [space.key(copy_tree(tree)) for tree in trees]
            "".join(keys).encode()
            return keys
    except Interrupted:
        raise
    except BaseException:
        return [key_of(space, tree) for tree in trees]


def canonicals_of(space: SearchSpace, genotypes: Iterable[Genotype]) -> list[Genotype]:
    """`canonical_of` each of the genotypes, quicker."""
    trees = list(genotypes)
    try:
        with told_apart():
            found = [copy_tree(space.canonical(copy_tree(tree))) for tree in trees]
            for one in found:
                space.genes.validate(one)
            return found
    except Interrupted:
        raise
    except BaseException:
        return [canonical_of(space, tree) for tree in trees]


def canonical_of(space: SearchSpace, genotype: Genotype) -> Genotype:
    """The space's canonical form of a genotype, or where it gives none that is valid the genotype itself."""
    try:
        with told_apart():
            canonical = copy_tree(space.canonical(copy_tree(genotype)))
            space.genes.validate(canonical)
            return canonical
    except Interrupted:
        raise
    except BaseException:
        return genotype


def module_graph_of(space: SearchSpace, genotype: Genotype) -> networkx.DiGraph | None:
    """The space's module graph of a genotype, checked; None where the space has no such notion.

    Raises:
        ValueError: the space's code raises something, or what it gives is no module graph.
        Invalid: the space says so.
    """
    try:
        with told_apart():
            graph = space.module_graph(copy_tree(genotype))
            return None if graph is None else checked_graph(graph)
    except (Interrupted, Invalid):
        raise
    except BaseException as error:
        raise ValueError(f"{type(space).__name__}.module_graph: {type(error).__name__}: {error}") from error


def module_graph_or_none(space: SearchSpace, genotype: Genotype) -> networkx.DiGraph | None:
    """The same; where the space fails, a warning says so."""
    try:
        return module_graph_of(space, genotype)
    except (ValueError, Invalid) as error:
        logger.warning(f"{error}; this network has no diagram")
        return None
