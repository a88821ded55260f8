"""Regularised evolution: the standard control of neural architecture search."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from search_spaces import SearchSpace

from ...archives import Archive
from ..base import Emitter, Proposals, Told
from .population import Population, mutants


class RegularisedEvolution(Emitter):
    """Ageing evolution (Real, Aggarwal, Huang & Le 2019, arXiv 1802.01548): the oldest die, however good they are.

    Parents win tournaments of the archive's objective. Deviation: candidates without an answer do not join the
    population.

    Args:
        space: gives the genes.
        population: how many live; this many random genotypes come first.
        sample: this many are drawn, and the best of them is the parent.
    """

    def __init__(
        self,
        space: SearchSpace,
        population: Annotated[int, Field(ge=1)] = 100,
        sample: Annotated[int, Field(ge=1, le=10_000)] = 25,
    ) -> None:
        super().__init__(space)
        self.size, self.sample = population, sample
        self._proposed = 0
        self._population = Population(space.genes, ["objectives"])

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        sampling = self._proposed < self.size or not len(self._population)
        self._proposed += n
        if sampling:
            return Proposals(self.space.genes.sample_many(n, rng), [()] * n, ["sample"] * n)
        return mutants(self.space, self._population, self._population.numbers["objectives"], n, self.sample, rng)

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        self._population.append(told, {"objectives": told.objectives})
        self._population.keep(np.argsort(-self._population.candidates)[: self.size])

    def state(self) -> dict[str, Any]:
        return {"proposed": self._proposed, **self._population.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._proposed = state["proposed"]
        self._population.restore(state)
