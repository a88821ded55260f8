"""MAP-Elites (Mouret & Clune 2015, arXiv 1504.04909): variation of uniformly drawn elites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from search_spaces import SearchSpace
from search_spaces.genes.columns import concatenate, differ, take

from ..archives import Archive
from .base import Emitter, Proposals, Told
from .bias import ImportanceBias


class MapElites(Emitter):
    """Draws elites uniformly over the filled cells, and mutates one or crosses two.

    Deviations from the paper: steady state instead of batches, and crossover, which the paper leaves out.

    Args:
        space: gives the genes.
        initial: this many random genotypes come first; also as long as the archive is empty.
        crossover: share of the children that come of two parents.
        bias: "importance": genes that decide the objective mutate more often (`ImportanceBias`); None: every place of
            a genotype is as likely.
    """

    def __init__(
        self,
        space: SearchSpace,
        initial: Annotated[int, Field(ge=1)] = 50,
        crossover: Annotated[float, Field(ge=0, le=1)] = 0.25,
        bias: Literal["importance"] | None = None,
    ) -> None:
        super().__init__(space)
        self.initial = initial
        self.crossover = crossover
        self._proposed = 0
        self._bias = ImportanceBias(space) if bias else None
        self.remembers = self._bias is not None

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        first = n if not len(archive) else min(n, max(0, self.initial - self._proposed))
        self._proposed += n
        if self._bias is not None:
            self._bias.fit_if_due()
        fresh = Proposals(self.space.genes.sample_many(first, rng), [()] * first, ["sample"] * first)
        return joined([fresh, *self.vary(n - first, archive, rng)])

    @property
    def sampling(self) -> bool:
        """Whether the next proposal is a random genotype, however full the archive is."""
        return self._proposed < self.initial

    def vary(self, n: int, archive: Archive, rng: np.random.Generator) -> list[Proposals]:
        """Children of elites, n in all, in parts: those of two parents, and those of one; the archive is not empty."""
        parts = []
        crossed = int(rng.binomial(n, self.crossover)) if len(archive) > 1 else 0
        if crossed:
            parts.append(self._cross(crossed, archive, rng))
        mutants = n - sum(len(part.parents) for part in parts)
        if mutants:
            parts.append(self._mutate(mutants, archive, rng))
        return parts

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        if self._bias is not None:
            self._bias.tell(told)

    def state(self) -> dict[str, Any]:
        return {"proposed": self._proposed, **({"fitted": self._bias.fitted} if self._bias else {})}

    def restore(self, state: dict[str, Any]) -> None:
        self._proposed = state["proposed"]
        if self._bias is not None:
            self._bias.fit(state["fitted"])

    def _mutate(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        slots = archive.draw(n, rng)
        mutants = (self._bias or self.space.genes).mutate_many(archive.elites.genotypes(slots), rng)
        return Proposals(mutants, list(zip(archive.elites.candidates[slots].tolist())), ["mutation"] * n)

    def _cross(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        """At most n children: those that equal a parent are left out."""
        elites, first, second = archive.elites, archive.draw(n, rng), archive.draw(n, rng)
        a, b = elites.genotypes(first), elites.genotypes(second)
        children = self.space.genes.crossover_many(a, b, rng)
        new = np.flatnonzero(differ(children, a) & differ(children, b))
        parents = zip(elites.candidates[first[new]].tolist(), elites.candidates[second[new]].tolist(), strict=True)
        return Proposals(take(children, new), list(parents), ["crossover"] * len(new))


def joined(parts: Sequence[Proposals]) -> Proposals:
    """The proposals of all parts, one of which at least has any; forecasts are left out."""
    parts = [part for part in parts if part.parents]
    return Proposals(
        concatenate([part.genotypes for part in parts]),
        [parents for part in parts for parents in part.parents],
        [operator for part in parts for operator in part.operators],
    )
