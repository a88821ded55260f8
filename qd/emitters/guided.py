"""Proposes what a model expects to improve the map most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from search_spaces import Metric, SearchSpace

from ..archives import Archive, CellArchive
from ..surrogates.base import Surrogate
from .base import Emitter, KnownMetrics, Proposals, Told
from .map_elites import MapElites, joined
from .metric_models import Expected, Kind, MetricModels
from .observations import Observations
from .pool import PoolSource
from .screening import check_known, is_known


class Guided(Emitter):
    """Model-based quality diversity: many candidates are imagined, and those that promise most are proposed.

    A pool of random genotypes, children of elites and children of what promises most is drawn at every ask
    (`PoolSource`). Measures that are known before an evaluation are taken as they are; models predict the objective and
    the other measures (`MetricModels`); those that are expected to improve the QD score most are proposed
    (`ExpectedImprovement`, after BOP-Elites). The idea of a quality-diversity search that asks a model first is SAIL's
    (Gaier, Asteroth & Mouret 2018); deviations from both: models of the numbers that every space's genes give
    (`Encoding`), and a pool that grows towards empty and weak cells instead of an inner search. Where the model knows
    nothing of a candidate, the share of such candidates in the pool is proposed as plain variation would propose it.

    The models learn from all observations of the search, whichever emitter proposed them. They are not stored: a
    resumed search fits them again, to the bit, from the log.

    Args:
        space: gives the genes.
        surrogate: what predicts: "combined", "forest" or "additive" models; or "own", the evaluator's for the
            objective, and combined ones for measures.
        initial: this many random genotypes come first; not where measures are known: then the first ones are chosen by
            these. 0, where the evaluator's own surrogate is to choose the first ones: it may know something of them
            before any observation.
        pool: how many candidates are imagined at every ask.
        fresh: share of the first round of these that is random, and not made of elites.
        rounds: in which they are imagined; 1: without children of what promises most.
        explore: share of the proposals that is drawn from the pool blindly.
        crossover: share of children of elites that come of two parents.
        refit: the models are fitted again after this many observations, or a tenth of those that they know, if more.
        trees: in a forest.
        columns: metrics that are known before an evaluation, such as scores of untrained networks or of what a supernet
            has of them: models learn from them beside the genes. They are computed of the whole pool at every ask.
    """

    remembers = True

    def __init__(
        self,
        space: SearchSpace,
        surrogate: Literal["combined", "forest", "additive", "own"] = "combined",
        initial: Annotated[int, Field(ge=0)] = 20,
        pool: Annotated[int, Field(ge=2, le=100_000)] = 600,
        fresh: Annotated[float, Field(ge=0, le=1)] = 0.25,
        rounds: Annotated[int, Field(ge=1, le=100)] = 5,
        explore: Annotated[float, Field(ge=0, le=1)] = 0.0,
        crossover: Annotated[float, Field(ge=0, le=1)] = 0.25,
        refit: Annotated[int, Field(ge=1)] = 8,
        trees: Annotated[int, Field(ge=2, le=10_000)] = 32,
        columns: tuple[str, ...] = (),
    ) -> None:
        super().__init__(space)
        if surrogate != "own" and initial < 1:
            raise ValueError("initial: a model knows nothing without observations; expected at least 1")
        self.surrogate: Literal["combined", "forest", "additive", "own"] = surrogate
        self.pool, self.fresh, self.explore, self.refit = pool, fresh, explore, refit
        self.rounds = rounds
        self._variation = MapElites(space, initial, crossover)
        self._observations = Observations(space)
        self._trees, self._columns = trees, columns
        self._models: MetricModels
        self._source: PoolSource
        self._knows = False
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
        measures = [axis.metric for axis in archive.axes]
        if archive.objective.metric in measures:
            raise ValueError(f"guided needs an objective that is no measure, and {archive.objective.metric!r} is both")
        kind: Kind = "combined"
        own = None
        if self.surrogate != "own":
            kind = self.surrogate
        elif (own := surrogate()) is None:
            raise ValueError("surrogate: the evaluator has no surrogate of its own; write surrogate: combined")
        check_known("columns", self._columns, metrics, known, self.space)
        self._knows = is_known(known, self.space, archive)
        self._models = MetricModels(
            archive, self._observations, known, self._knows, kind, self._trees, own, self._columns
        )
        self._source = PoolSource(
            self.space, self._variation, self._observations, self._models, self.pool, self.rounds, self.fresh
        )

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        assert isinstance(archive, CellArchive)
        models, count = self._models, len(self._observations)
        if count >= models.fitted + max(self.refit, models.fitted // 10):
            models.fit(count)
        informed = len(archive) > 0 if models.fitted else models.own is not None
        if self._knows or (informed and not self._variation.sampling):
            proposals = self._choose(n, archive, rng)
        else:
            proposals = self._variation.ask(n, archive, rng)
        self._pending.update(set(self._observations.keys_of(proposals.genotypes)) - self._observations.keys)
        return proposals

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        self._observations.append(told)
        self._pending -= self._observations.keys

    def state(self) -> dict[str, Any]:
        return {**self._variation.state(), "fitted": self._models.fitted, "pending": sorted(self._pending)}

    def restore(self, state: dict[str, Any]) -> None:
        self._variation.restore(state)
        self._pending = set(state["pending"])
        self._models.fit(state["fitted"])

    def _choose(self, n: int, archive: CellArchive, rng: np.random.Generator) -> Proposals:
        """The n of a pool that promise most; what the model knows nothing of has its share."""
        pool = self._source.draw(2 * n, self._observations.keys | self._pending, archive, rng)
        if pool is None:  # the space is as good as exhausted
            return self._variation.ask(n, archive, rng)
        known = np.isfinite(pool.expected.metrics[self._models.objective.metric].mean)
        explored = int(rng.binomial(n, self.explore))
        blind = int(rng.binomial(n - explored, 1 - known[: pool.drawn].mean()))
        rows = np.flatnonzero(known)
        best = rows[self._best(n - explored - blind, archive, pool.expected.take(rows))]
        unknown = rng.permutation(np.flatnonzero(~known))[:blind]
        rest = rng.permutation(np.setdiff1d(np.arange(len(known)), [*best, *unknown]))[:explored]
        chosen = np.concatenate([best, unknown, rest])
        missing = n - len(chosen)  # the pool had too few that are new
        parts = [pool.proposals.take(chosen), *([self._variation.ask(missing, archive, rng)] if missing else [])]
        forecast = self._models.forecast(pool.expected.take(chosen)).padded(missing)
        return joined(parts)._replace(forecast=forecast)

    def _best(self, n: int, archive: CellArchive, expected: Expected) -> np.ndarray:
        """Rows of the n that gain most; where nothing is said of measures, of those that are expected to be best."""
        if self._models.place_candidates:
            return self._models.improvement(archive, expected).choose(n)
        return np.argsort(-expected.metrics[self._models.objective.metric].mean, kind="stable")[:n]
