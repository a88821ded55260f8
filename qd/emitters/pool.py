"""The candidates that a guided search imagines before it chooses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from search_spaces import SearchSpace
from search_spaces.genes.columns import take

from ..archives import CellArchive
from .base import Proposals
from .map_elites import MapElites, joined
from .metric_models import Expected, MetricModels
from .observations import Observations


class Pool(NamedTuple):
    """Candidates that differ from each other and from all that were proposed, and what is expected of them."""

    proposals: Proposals
    expected: Expected
    values: np.ndarray
    """(N,) float64, at least 0: how much each would improve the archive; 0 where that is not known."""
    drawn: int
    """How many of them, the first ones, are as plain variation gives them."""


class PoolSource:
    """Draws pools, in rounds: what promises most in one has most children in the next.

    The first round holds random genotypes and children of elites, as plain variation makes them. In each that follows,
    parents are drawn from all rounds before it, in proportion to how much they are expected to improve the archive, and
    mutated: so the pool grows towards empty and weak cells. A child's parents, for the log, are the elites that its
    line goes back to.

    Args:
        space: gives the genes.
        variation: makes children of elites.
        observations: say what was evaluated.
        models: say what is expected.
        size: of a pool, before architectures that are not new are left out.
        rounds: so many.
        fresh: share of the first round that is random.
    """

    def __init__(
        self,
        space: SearchSpace,
        variation: MapElites,
        observations: Observations,
        models: MetricModels,
        size: int,
        rounds: int,
        fresh: float,
    ) -> None:
        self._genes, self._variation = space.genes, variation
        self._observations, self._models = observations, models
        self._size, self._rounds, self._fresh = size, rounds, fresh

    def draw(self, least: int, seen: set[str], archive: CellArchive, rng: np.random.Generator) -> Pool | None:
        """Return a pool, or None where nothing new was found.

        Args:
            least: candidates to be imagined at least.
            seen: keys of what was proposed.
            archive: is only read.
            rng: all randomness comes from it.
        """
        rounds = self._rounds if self._models.place_candidates else 1
        size = -(-max(self._size, least) // rounds)
        seen = set(seen)
        pool = self._new(self._first(size, archive, rng), seen, archive)
        if pool is None:
            return None
        for _ in range(rounds - 1):
            if not pool.values.any():
                break
            parents = pool.proposals.take(rng.choice(len(pool.values), size, p=pool.values / pool.values.sum()))
            more = self._new(self._mutants(parents, rng), seen, archive)
            if more is not None:
                pool = _join(pool, more)
        return pool

    def _first(self, size: int, archive: CellArchive, rng: np.random.Generator) -> Proposals:
        fresh = int(rng.binomial(size, self._fresh)) if len(archive) else size
        samples = Proposals(self._genes.sample_many(fresh, rng), [()] * fresh, ["sample"] * fresh)
        return joined([samples, *self._variation.vary(size - fresh, archive, rng)])

    def _mutants(self, parents: Proposals, rng: np.random.Generator) -> Proposals:
        operators = ["mutation" if of_one else "sample" for of_one in parents.parents]
        return Proposals(self._genes.mutate_many(parents.genotypes, rng), parents.parents, operators)

    def _new(self, drawn: Proposals, seen: set[str], archive: CellArchive) -> Pool | None:
        """Those that are not in `seen`, which takes them in; None where all are."""
        rows = []
        forms, keys = self._observations.canonical(drawn.genotypes)
        for row, key in enumerate(keys):
            if key not in seen:
                seen.add(key)
                rows.append(row)
        if not rows:
            return None
        new = drawn.take(np.array(rows))
        table = self._observations.encode_canonical(take(forms, rows))
        expected = self._models.predict(new.genotypes, [keys[row] for row in rows], table)
        values = np.zeros(len(rows))
        if self._models.place_candidates:
            values = np.maximum(np.nan_to_num(self._models.improvement(archive, expected).values), 0.0)
        return Pool(new, expected, values, len(rows))


def _join(pool: Pool, more: Pool) -> Pool:
    return Pool(
        joined([pool.proposals, more.proposals]),
        Expected.join([pool.expected, more.expected]),
        np.concatenate([pool.values, more.values]),
        pool.drawn,
    )
