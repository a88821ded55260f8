"""NSGA-II: a front of trade-offs, the control of multi-objective architecture search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from search_spaces import Metric, SearchSpace
from search_spaces.genes.columns import concatenate, differ, take

from ...archives import Archive
from ...surrogates.base import Surrogate
from ..base import Emitter, KnownMetrics, Proposals, Told
from .pareto import pareto_order
from .population import Population, tournament


class NSGA2(Emitter):
    """NSGA-II (Deb, Pratap, Agarwal & Meyarivan 2002) over some of the metrics.

    Parents win binary tournaments of front and crowding; of the population and what is told, the best by both survive.
    Deviation: steady state, so selection takes place at every tell and not once a generation.

    Args:
        space: gives the genes.
        objectives: metrics, each in its own direction; two at the least.
        initial: this many random genotypes come first; also as long as no candidate has a result.
        population: how many survive.
        crossover: share of the children that come of two parents; they are mutated where they equal one.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Annotated[list[str], Field(min_length=2)],
        initial: Annotated[int, Field(ge=1)] = 100,
        population: Annotated[int, Field(ge=2)] = 100,
        crossover: Annotated[float, Field(ge=0, le=1)] = 0.25,
    ) -> None:
        super().__init__(space)
        if len(set(objectives)) < len(objectives):
            raise ValueError(f"each objective is named once, got {', '.join(objectives)}")
        self.objectives, self.initial, self.size, self.crossover = objectives, initial, population, crossover
        self._signs: dict[str, float] = {}
        self._proposed = 0
        self._population = Population(space.genes, objectives)  # its rows are kept in order, the best first

    def bind(
        self,
        metrics: Mapping[str, Metric],
        archive: Archive,
        surrogate: Callable[[], Surrogate | None],
        known: KnownMetrics,
    ) -> None:
        for name in self.objectives:
            if name not in metrics:
                raise ValueError(f"objectives: no metric {name!r} is reported; known: {', '.join(metrics)}")
            self._signs[name] = 1.0 if metrics[name].direction == "maximise" else -1.0

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        population, genes = self._population, self.space.genes
        sampling = self._proposed < self.initial or not len(population)
        self._proposed += n
        if sampling:
            return Proposals(genes.sample_many(n, rng), [()] * n, ["sample"] * n)
        rank = -np.arange(len(population), dtype=np.float64)
        first, second = tournament(rank, n, 2, rng), tournament(rank, n, 2, rng)
        a, b = take(population.genotypes, first), take(population.genotypes, second)
        children = genes.crossover_many(a, b, rng)
        crossed = (rng.random(n) < self.crossover) & differ(children, a) & differ(children, b)
        ids = population.candidates
        one, two = np.flatnonzero(~crossed), np.flatnonzero(crossed)
        parts = [genes.mutate_many(take(a, one), rng), take(children, two)]
        pairs = zip(ids[first[two]].tolist(), ids[second[two]].tolist(), strict=True)
        parents = [*zip(ids[first[one]].tolist(), strict=True), *pairs]
        return Proposals(concatenate(parts), parents, ["mutation"] * len(one) + ["crossover"] * len(two))

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        population = self._population
        population.append(told, {name: sign * told.metrics[name] for name, sign in self._signs.items()})
        if len(population):
            values = np.stack([population.numbers[name] for name in self.objectives], axis=1)
            population.keep(pareto_order(values)[: self.size])

    def state(self) -> dict[str, Any]:
        return {"proposed": self._proposed, **self._population.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._proposed = state["proposed"]
        self._population.restore(state)
