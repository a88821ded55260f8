"""Columns of genotypes: N plain-data trees in a list, or for spaces of fixed length one (N, D) array.

What handles genotypes by the batch uses these few functions, and need not know which of the two it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Genotypes: TypeAlias = Sequence[Any] | np.ndarray
"""N genotypes of one space."""

_LEAVES = frozenset((str, int, float, bool, type(None)))


def copy_tree(value: Any) -> Any:
    """A deep copy as plain data; twenty times as fast as `copy.deepcopy`.

    Tuples and arrays become lists, and numpy's numbers Python's; what cannot be plain data stays as it is.
    """
    kind = type(value)
    if kind is dict:  # leaves are looked at here: a call for each of them would take most of the time
        return {key: item if type(item) in _LEAVES else copy_tree(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [item if type(item) in _LEAVES else copy_tree(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def copied(genotypes: Genotypes) -> Genotypes:
    """A copy that shares nothing with the genotypes: what a stranger's code does to it harms nobody else."""
    return genotypes.copy() if isinstance(genotypes, np.ndarray) else [copy_tree(genotype) for genotype in genotypes]


def take(genotypes: Genotypes, rows: Sequence[int] | np.ndarray) -> Genotypes:
    """The given rows, in the given order; trees are shared, rows of an array are copied."""
    if isinstance(genotypes, np.ndarray):
        return genotypes[np.asarray(rows, dtype=np.int64)]
    return [genotypes[row] for row in rows]


def concatenate(parts: Sequence[Genotypes]) -> Genotypes:
    """Rows of all parts, one after the other; one part at least."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate([part for part in parts if len(part)] or [parts[0]])
    return [genotype for part in parts for genotype in part]


def differ(first: Genotypes, second: Genotypes) -> np.ndarray:
    """(N,) bool, which rows are not equal."""
    if isinstance(first, np.ndarray):
        return (first != second).any(axis=1)
    return np.array([a != b for a, b in zip(first, second, strict=True)], dtype=bool)
