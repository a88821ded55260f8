"""A single-objective evolutionary algorithm."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from search_spaces import SearchSpace

from ...archives import Archive
from ..base import Emitter, Proposals, Told
from .population import Population, mutants


class Evolutionary(Emitter):
    """A (population + offspring) evolutionary algorithm on the archive's objective: the paper's first control.

    Parents win tournaments; of the population and what is told, the best survive, and of equals the younger, so that a
    plateau can be crossed. Variation is mutation alone, as in the paper.

    Args:
        space: gives the genes.
        initial: this many random genotypes come first; also as long as no candidate has a result.
        population: how many survive.
        tournament: this many are drawn, and the best of them is the parent.
    """

    def __init__(
        self,
        space: SearchSpace,
        initial: Annotated[int, Field(ge=1)] = 100,
        population: Annotated[int, Field(ge=1)] = 100,
        tournament: Annotated[int, Field(ge=1, le=10_000)] = 2,
    ) -> None:
        super().__init__(space)
        self.initial, self.size, self.tournament = initial, population, tournament
        self._proposed = 0
        self._population = Population(space.genes, ["objectives"])

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        sampling = self._proposed < self.initial or not len(self._population)
        self._proposed += n
        if sampling:
            return Proposals(self.space.genes.sample_many(n, rng), [()] * n, ["sample"] * n)
        return mutants(self.space, self._population, self._population.numbers["objectives"], n, self.tournament, rng)

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        population = self._population
        population.append(told, {"objectives": told.objectives})
        order = np.lexsort((-population.candidates, -population.numbers["objectives"]))
        population.keep(order[: self.size])

    def state(self) -> dict[str, Any]:
        return {"proposed": self._proposed, **self._population.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._proposed = state["proposed"]
        self._population.restore(state)
