"""Candidates that a control keeps of its own, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces import Gene, Genotypes, SearchSpace
from search_spaces.genes.columns import concatenate, take

from ..base import Proposals, Told


class Population:
    """Rows of candidates with an answer, and the numbers that selection looks at.

    Args:
        genes: of the space; they know how genotypes become columns.
        columns: names of those numbers.
    """

    def __init__(self, genes: Gene, columns: Sequence[str]) -> None:
        self._genes = genes
        self.candidates = np.empty(0, dtype=np.int64)
        self.genotypes: Genotypes = genes.column([])
        self.numbers = {name: np.empty(0) for name in columns}

    def __len__(self) -> int:
        return len(self.candidates)

    def append(self, told: Told, numbers: Mapping[str, np.ndarray]) -> None:
        """Add the rows that have an answer; `numbers` are (N,) float64 columns like those of `told`."""
        rows = np.flatnonzero(np.isfinite(told.objectives))
        self.candidates = np.concatenate([self.candidates, told.candidates[rows]])
        self.genotypes = concatenate([self.genotypes, self._genes.column(take(told.genotypes, rows))])
        for name in self.numbers:
            self.numbers[name] = np.concatenate([self.numbers[name], numbers[name][rows]])

    def keep(self, rows: np.ndarray) -> None:
        """Keep these rows, in this order."""
        self.candidates = self.candidates[rows]
        self.genotypes = take(self.genotypes, rows)
        self.numbers = {name: column[rows] for name, column in self.numbers.items()}

    def state(self) -> dict[str, Any]:
        """Plain data and arrays, for an emitter's state."""
        numbers = {f"number_{name}": column for name, column in self.numbers.items()}
        return {"candidates": self.candidates, "genotypes": self.genotypes, **numbers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.candidates = state["candidates"]
        self.genotypes = self._genes.column(state["genotypes"])
        self.numbers = {name: state[f"number_{name}"] for name in self.numbers}


def tournament(fitness: np.ndarray, n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) rows, each the best of `size` that are drawn uniformly with replacement; more is better."""
    drawn = rng.integers(len(fitness), size=(n, size))
    return drawn[np.arange(n), fitness[drawn].argmax(axis=1)]


def mutants(
    space: SearchSpace, population: Population, fitness: np.ndarray, n: int, size: int, rng: np.random.Generator
) -> Proposals:
    """Mutants of the winners of n tournaments."""
    rows = tournament(fitness, n, size, rng)
    children = space.genes.mutate_many(take(population.genotypes, rows), rng)
    return Proposals(children, list(zip(population.candidates[rows].tolist())), ["mutation"] * n)
