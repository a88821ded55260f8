"""Novelty search with local competition: the paper's second control."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from search_spaces import SearchSpace

from ...archives import Archive
from ...archives.base import ribs_archives
from ..base import Emitter, Proposals, Told
from .pareto import pareto_order
from .population import Population, mutants


class NoveltyLocalCompetition(Emitter):
    """Novelty search with local competition (Lehman & Stanley 2011), steady state.

    Two objectives, sorted as NSGA-II does: novelty, the mean distance to the nearest neighbours in the space of the
    archive's measures, and how many of these neighbours have a worse objective. Neighbours are looked for among the
    population, what is told, and a memory of what was novel when it was told. All axes are scaled to [0, 1]. Parents
    win tournaments of that order, and are mutated.

    Deviations: no third objective of genetic diversity; what enters the memory is decided by a fixed threshold, which
    bounds its size.

    Args:
        space: gives the genes.
        initial: this many random genotypes come first; also as long as no candidate has a result.
        population: how many survive.
        neighbours: how many count.
        threshold: novelty from which a candidate is remembered, as a share of the axes.
        tournament: this many are drawn, and the best of them is the parent.
    """

    def __init__(
        self,
        space: SearchSpace,
        initial: Annotated[int, Field(ge=1)] = 100,
        population: Annotated[int, Field(ge=1)] = 100,
        neighbours: Annotated[int, Field(ge=1, le=1_000_000)] = 15,
        threshold: Annotated[float, Field(gt=0)] = 0.03,
        tournament: Annotated[int, Field(ge=1, le=10_000)] = 2,
    ) -> None:
        super().__init__(space)
        self.initial, self.size, self.neighbours = initial, population, neighbours
        self.threshold, self.tournament = threshold, tournament
        self._proposed = 0
        self._population = Population(space.genes, ["objectives"])  # its rows are kept in order, the best first
        self._places: np.ndarray | None = None  # (P, M) of the population
        self._memory: np.ndarray | None = None  # (R, M + 1): places of what was novel, and its objective

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        sampling = self._proposed < self.initial or not len(self._population)
        self._proposed += n
        if sampling:
            return Proposals(self.space.genes.sample_many(n, rng), [()] * n, ["sample"] * n)
        rank = -np.arange(len(self._population), dtype=np.float64)
        return mutants(self.space, self._population, rank, n, self.tournament, rng)

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        answered = np.isfinite(told.objectives)
        if not answered.any():
            return
        # a measure without a place on a logarithmic axis counts as its lower end
        new = np.nan_to_num(archive.scaled({name: column[answered] for name, column in told.metrics.items()}))
        before = len(self._population)
        self._population.append(told, {"objectives": told.objectives})
        places = new if self._places is None else np.concatenate([self._places, new])
        objectives = self._population.numbers["objectives"]
        novelty, wins = self._compare(places, objectives)
        fresh = np.flatnonzero(novelty[before:] >= self.threshold) + before
        remembered = np.column_stack([places[fresh], objectives[fresh]])
        self._memory = remembered if self._memory is None else np.concatenate([self._memory, remembered])
        rows = pareto_order(np.column_stack([novelty, wins]))[: self.size]
        self._population.keep(rows)
        self._places = places[rows]

    def state(self) -> dict[str, Any]:
        places = {} if self._places is None else {"places": self._places, "memory": self._memory}
        return {"proposed": self._proposed, **self._population.state(), **places}

    def restore(self, state: dict[str, Any]) -> None:
        self._proposed = state["proposed"]
        self._population.restore(state)
        self._places, self._memory = state.get("places"), state.get("memory")

    def _compare(self, places: np.ndarray, objectives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P,) novelty, and how many of the neighbours are worse."""
        known = np.column_stack([places, objectives])
        if self._memory is not None:
            known = np.concatenate([known, self._memory])
        everyone = ribs_archives().ProximityArchive(
            solution_dim=(),
            measure_dim=places.shape[1],
            k_neighbors=self.neighbours + 1,  # each finds itself, or its like in the memory, at distance 0
            novelty_threshold=0.0,
            local_competition=True,
            initial_capacity=len(known),
        )
        everyone.add(np.zeros(len(known)), known[:, -1], known[:, :-1])  # into an empty one, all of a batch enter
        novelty, wins = everyone.compute_novelty(places, objectives)
        found = min(self.neighbours + 1, len(known))
        return novelty * found / max(1, found - 1), wins.astype(np.float64)
