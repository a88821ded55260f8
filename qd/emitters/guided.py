"""Proposes what a model expects to improve the map most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from search_spaces import Genotypes, Metric, SearchSpace
from search_spaces.genes.columns import take

from ..archives import Archive, Axis, CellArchive
from ..space_hooks import key_of
from ..surrogates.acquisition import ExpectedImprovement
from ..surrogates.base import Prediction, Surrogate
from ..surrogates.forest import FEWEST_ROWS, Forest
from .base import Emitter, Forecast, KnownMetrics, Proposals, Told
from .map_elites import MapElites, joined
from .observations import Observations


class Guided(Emitter):
    """Model-based quality diversity: many candidates are imagined, and those that promise most are proposed.

    A pool of children of elites and of random genotypes is drawn at every ask. A model predicts the objective of each,
    and random forests the measures; those that are expected to improve the QD score most are proposed
    (`ExpectedImprovement`, after BOP-Elites). The idea of a quality-diversity search that asks a model first is SAIL's
    (Gaier, Asteroth & Mouret 2018); deviations from both: forests instead of Gaussian processes, over numbers that
    every space's genes give (`Encoding`), and a pool of variation instead of an inner search. Where the model knows
    nothing of a candidate, the share of such candidates in the pool is proposed as plain variation would propose it.

    The model learns from all observations of the search, whichever emitter proposed them. It is not stored: a resumed
    search fits it again, to the bit, from the log.

    Args:
        space: gives the genes.
        surrogate: what predicts the objective: "forest", or "own", the evaluator's.
        initial: this many random genotypes come first; 0, where the evaluator's own surrogate is to choose the first
            ones: it may know something of them before any observation.
        pool: how many candidates are imagined at every ask.
        fresh: share of them that is random, and not made of elites.
        explore: share of the proposals that plain variation makes, unseen by the model.
        crossover: share of children of elites that come of two parents.
        refit: the model is fitted again after this many observations, or a tenth of those that it knows, if more.
        trees: in a forest.
    """

    remembers = True

    def __init__(
        self,
        space: SearchSpace,
        surrogate: Literal["forest", "own"] = "forest",
        initial: Annotated[int, Field(ge=0)] = 20,
        pool: Annotated[int, Field(ge=2, le=100_000)] = 500,
        fresh: Annotated[float, Field(ge=0, le=1)] = 0.5,
        explore: Annotated[float, Field(ge=0, le=1)] = 0.1,
        crossover: Annotated[float, Field(ge=0, le=1)] = 0.25,
        refit: Annotated[int, Field(ge=1)] = 8,
        trees: Annotated[int, Field(ge=2, le=10_000)] = 64,
    ) -> None:
        super().__init__(space)
        if surrogate == "forest" and initial < 1:
            raise ValueError("initial: a forest knows nothing without observations; expected at least 1")
        self.surrogate, self.pool, self.fresh, self.explore, self.refit = surrogate, pool, fresh, explore, refit
        self._variation = MapElites(space, initial, crossover)
        self._observations = Observations(space)
        self._own: Surrogate | None = None
        self._forests: dict[str, Forest] = {}
        self._trees = trees
        self._objective = ""
        self._axes: Sequence[Axis] = ()
        self._predicted: list[str] = []
        self._fitted = 0
        self._pending: set[str] = set()

    def bind(
        self,
        metrics: Mapping[str, Metric],
        archive: Archive,
        surrogate: Callable[[], Surrogate | None],
        known: KnownMetrics,
    ) -> None:
        if not isinstance(archive, CellArchive):
            raise ValueError(f"guided needs cells that are there from the start; {type(archive).__name__} has none")
        self._objective, self._axes = archive.objective.metric, archive.axes
        measures = [axis.metric for axis in self._axes]
        if self._objective in measures:
            raise ValueError(f"guided needs an objective that is no measure, and {self._objective!r} is both")
        if self.surrogate == "own":
            self._own = surrogate()
            if self._own is None:
                raise ValueError("surrogate: the evaluator has no surrogate of its own; write surrogate: forest")
        self._predicted = [self._objective, *measures]
        self._forests = {name: Forest(self._trees) for name in (measures if self._own else self._predicted)}

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        assert isinstance(archive, CellArchive)
        if len(self._observations) >= self._fitted + max(self.refit, self._fitted // 10):
            self._fit(len(self._observations))
        knows = len(archive) > 0 if self._fitted else self._own is not None
        if self._variation.sampling or not knows:
            proposals = self._variation.ask(n, archive, rng)
        else:
            proposals = self._choose(n, archive, rng)
        self._pending.update(set(self._keys(proposals.genotypes)) - self._observations.keys)
        return proposals

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        self._observations.append(told)
        self._pending -= self._observations.keys

    def state(self) -> dict[str, Any]:
        return {**self._variation.state(), "fitted": self._fitted, "pending": sorted(self._pending)}

    def restore(self, state: dict[str, Any]) -> None:
        self._variation.restore(state)
        self._pending = set(state["pending"])
        self._fit(state["fitted"])

    def _fit(self, first: int) -> None:
        """Fit to the first this many observations, unless these are too few."""
        if first < FEWEST_ROWS:
            return
        observations = self._observations
        columns = {axis.metric: axis.position(observations.metric(axis.metric, first)) for axis in self._axes}
        rows = np.flatnonzero(np.isfinite([*columns.values()]).all(axis=0))  # 0 has no place on a logarithmic axis
        if len(rows) < FEWEST_ROWS:
            return
        columns[self._objective] = observations.objectives(first)
        table = observations.rows(first)[rows]
        for name, forest in self._forests.items():
            forest.fit(table, columns[name][rows])
        if self._own is not None:
            self._own.fit(observations.genotypes[:first], columns[self._objective])
        self._fitted = first

    def _choose(self, n: int, archive: CellArchive, rng: np.random.Generator) -> Proposals:
        """The n of a pool that promise most; what the model knows nothing of has its share."""
        pool = self._draw_pool(n, archive, rng)
        if not pool.parents:  # the space is as good as exhausted
            return self._variation.ask(n, archive, rng)
        metrics = self._predict(pool.genotypes)
        known = np.isfinite(metrics[self._objective].mean)
        explored = int(rng.binomial(n, self.explore))
        blind = int(rng.binomial(n - explored, 1 - known.mean()))
        rows = np.flatnonzero(known)
        best = rows[self._best(n - explored - blind, archive, {name: _take(metrics[name], rows) for name in metrics})]
        unknown = rng.permutation(np.flatnonzero(~known))[:blind]
        rest = rng.permutation(np.setdiff1d(np.arange(len(known)), [*best, *unknown]))[:explored]
        chosen = np.concatenate([best, unknown, rest])
        missing = n - len(chosen)  # the pool had too few that are new
        parts = [_chosen(pool, chosen), *([self._variation.ask(missing, archive, rng)] if missing else [])]
        nothing = np.full(missing, np.nan)
        forecast = {
            name: Prediction(*(np.concatenate([column[chosen], nothing]) for column in one))
            for name, one in metrics.items()
        }
        return joined(parts)._replace(forecast=Forecast(forecast, self._fitted, self._describe()))

    def _best(self, n: int, archive: CellArchive, metrics: Mapping[str, Prediction]) -> np.ndarray:
        """Rows of the n that gain most; before the first observations, of those that the surrogate expects most of."""
        objective, *measures = (metrics[name] for name in self._predicted if name in metrics)
        if not self._fitted:
            return np.argsort(-objective.mean, kind="stable")[:n]
        return ExpectedImprovement(archive, objective, measures).choose(n)

    def _draw_pool(self, n: int, archive: CellArchive, rng: np.random.Generator) -> Proposals:
        """Candidates that differ from each other and from all that were proposed."""
        size = max(self.pool, 2 * n)
        fresh = int(rng.binomial(size, self.fresh)) if len(archive) else size
        samples = Proposals(self.space.genes.sample_many(fresh, rng), [()] * fresh, ["sample"] * fresh)
        pool = joined([samples, *self._variation.vary(size - fresh, archive, rng)])
        seen = self._observations.keys | self._pending
        first = {key: row for row, key in reversed([*enumerate(self._keys(pool.genotypes))]) if key not in seen}
        return _chosen(pool, np.array(sorted(first.values()), dtype=np.int64))

    def _predict(self, genotypes: Genotypes) -> dict[str, Prediction]:
        """Of the objective and of each measure, on its axis's scale."""
        table = self._observations.encode(genotypes)
        predictions = {name: forest.predict(table) for name, forest in self._forests.items()} if self._fitted else {}
        return predictions if self._own is None else {self._objective: self._own.predict(genotypes), **predictions}

    def _describe(self) -> dict[str, Any]:
        explained = {name: forest.explained for name, forest in self._forests.items()} if self._fitted else {}
        return {"explained": explained, **({"own": self._own.describe()} if self._own else {})}

    def _keys(self, genotypes: Genotypes) -> list[str]:
        return [key_of(self.space, genotype) for genotype in self.space.genes.trees(genotypes)]


def _take(prediction: Prediction, rows: np.ndarray) -> Prediction:
    return Prediction(prediction.mean[rows], prediction.deviation[rows])


def _chosen(proposals: Proposals, rows: np.ndarray) -> Proposals:
    parents, operators = proposals.parents, proposals.operators
    genotypes = take(proposals.genotypes, rows)
    return Proposals(genotypes, [parents[row] for row in rows], [operators[row] for row in rows])
