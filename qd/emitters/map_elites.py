"""MAP-Elites (Mouret & Clune 2015, arXiv 1504.04909): variation of uniformly drawn elites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from search_spaces import Metric, SearchSpace
from search_spaces.genes.columns import concatenate, differ, take

from ..archives import Archive, CellArchive
from ..surrogates.base import Surrogate
from .base import Emitter, KnownMetrics, Proposals, Told
from .bias import ImportanceBias
from .screening import better_half, check_known, is_known, known_positions, weakest


@dataclass(frozen=True)
class Screen:
    """How children are chosen by what is known of them.

    Args:
        children: so many are drawn for each place, at least 2.
        score: a metric that is known before an evaluation, such as a score of untrained networks or of what a supernet
            has of them: only the better half of the children by it may be chosen; None: all may.
    """

    children: int = 8
    score: str | None = None

    def __post_init__(self) -> None:
        if self.children < 2:
            raise ValueError(f"children: expected at least 2, got {self.children}")


class MapElites(Emitter):
    """Draws elites uniformly over the filled cells, and mutates one or crosses two.

    Deviations from the paper: steady state instead of batches, and crossover, which the paper leaves out.

    Args:
        space: gives the genes.
        initial: this many random genotypes come first; also as long as the archive is empty.
        crossover: share of the children that come of two parents.
        screen: draws several children for each place, and proposes of these the one whose cell is empty or has the
            worst elite, by what is known before an evaluation; None: children are proposed as they are drawn.
        bias: "importance": genes that decide the objective mutate more often (`ImportanceBias`); None: every place of
            a genotype is as likely.
    """

    def __init__(
        self,
        space: SearchSpace,
        initial: Annotated[int, Field(ge=1)] = 50,
        crossover: Annotated[float, Field(ge=0, le=1)] = 0.25,
        screen: Screen | None = None,
        bias: Literal["importance"] | None = None,
    ) -> None:
        super().__init__(space)
        self._screen = screen
        self._sign = 1.0
        self._known: KnownMetrics = lambda genotypes, names, keys=None: {}
        self.initial = initial
        self.crossover = crossover
        self._proposed = 0
        self._bias = ImportanceBias(space) if bias else None
        self.remembers = self._bias is not None
        self.hears = self.remembers or type(self).tell is not MapElites.tell

    def bind(
        self,
        metrics: Mapping[str, Metric],
        archive: Archive,
        surrogate: Callable[[], Surrogate | None],
        known: KnownMetrics,
    ) -> None:
        if self._screen is None:
            return
        if not isinstance(archive, CellArchive):
            raise ValueError(
                f"screen: needs cells that are there from the start, and {type(archive).__name__} has none"
            )
        if self._screen.score is not None:
            check_known("screen.score", [self._screen.score], metrics, known, self.space)
            self._sign = 1.0 if metrics[self._screen.score].direction == "maximise" else -1.0
        elif not is_known(known, self.space, archive):
            names = [axis.metric for axis in archive.axes]
            raise ValueError(
                f"screen: nothing is known of {' and '.join(names)} before an evaluation; leave it out, or use measures"
                " that are known, such as parameters"
            )
        self._known = known

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        first = n if not len(archive) else min(n, max(0, self.initial - self._proposed))
        self._proposed += n
        if self._bias is not None:
            self._bias.fit_if_due()
        if self._screen is None:
            return joined([self._sample(first, rng), *self.vary(n - first, archive, rng)])
        children = self._screen.children
        parts = [self._sample(first * children, rng), *self.vary((n - first) * children, archive, rng)]
        drawn = joined(parts)
        # what was sampled stands first, so that a place's children are all samples, or all of elites
        places = np.concatenate(
            [np.arange(first * children) % max(1, first), first + np.arange((n - first) * children) % max(1, n - first)]
        )
        assert isinstance(archive, CellArchive)
        if self._screen.score is not None:
            found = self._known(drawn.genotypes, [self._screen.score])
            scores = found.get(self._screen.score, np.full(len(places), np.nan))  # of none of these it may be known
            rows = better_half(self._sign * scores, places)
            drawn, places = drawn.take(rows), places[rows]
        return drawn.take(weakest(self._positions(drawn, archive, rng), places, archive, rng))

    def _sample(self, n: int, rng: np.random.Generator) -> Proposals:
        return Proposals(self.space.genes.sample_many(n, rng), [()] * n, ["sample"] * n)

    def _positions(self, drawn: Proposals, archive: CellArchive, rng: np.random.Generator) -> np.ndarray:
        """Where candidates would fall: a measure that is not known is taken to be that of the first parent."""
        positions = known_positions(self._known, drawn.genotypes, archive)
        slots = {candidate: slot for slot, candidate in enumerate(archive.elites.candidates.tolist())}
        for row in np.flatnonzero(np.isnan(positions).any(axis=1) & ~np.isnan(positions).all(axis=1)).tolist():
            unknown = np.isnan(positions[row])
            if drawn.parents[row]:
                positions[row, unknown] = archive.elites.positions[slots[drawn.parents[row][0]], unknown]
            else:
                bounds = np.array([axis.bounds() for axis in archive.axes])[unknown]
                positions[row, unknown] = rng.uniform(bounds[:, 0], bounds[:, 1])
        return positions

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
        mutants = (self._bias or self.space.genes).mutate_many(archive.elites.shared(slots), rng)
        return Proposals(mutants, list(zip(archive.elites.candidates[slots].tolist())), ["mutation"] * n)

    def _cross(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        """At most n children: those that equal a parent are left out."""
        elites, first, second = archive.elites, archive.draw(n, rng), archive.draw(n, rng)
        a, b = elites.shared(first), elites.shared(second)
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
