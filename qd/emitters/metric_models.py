"""What a guided search expects of each metric: what is known, what a model says, or the evaluator's own surrogate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from search_spaces import Genotypes

from ..archives import Archive, Axis, CellArchive
from ..surrogates.acquisition import ExpectedImprovement
from ..surrogates.additive import Additive
from ..surrogates.base import FEWEST_ROWS, Prediction, RowModel, Surrogate
from ..surrogates.combined import Combined
from ..surrogates.forest import Forest
from .base import Forecast, KnownMetrics
from .observations import Observations

Kind = Literal["combined", "forest", "additive"]


class Expected(NamedTuple):
    """What is expected of N candidates: measures on their axes, the objective signed (more is better)."""

    metrics: dict[str, Prediction]
    """The objective and every measure."""
    learnt: dict[str, np.ndarray]
    """{metric: (N,) bool}: whether a model says it; else it is known, with a deviation of 0, or a mere guess."""

    def take(self, rows: np.ndarray) -> Expected:
        """Of the given rows, in the given order."""
        metrics = {name: one.take(rows) for name, one in self.metrics.items()}
        return Expected(metrics, {name: column[rows] for name, column in self.learnt.items()})

    @staticmethod
    def join(parts: list[Expected]) -> Expected:
        """Of all parts, one after the other."""
        names = parts[0].metrics
        metrics = {
            name: Prediction(*map(np.concatenate, zip(*(one.metrics[name] for one in parts), strict=True)))
            for name in names
        }
        return Expected(metrics, {name: np.concatenate([one.learnt[name] for one in parts]) for name in names})


class MetricModels:
    """Predicts the objective and every measure of an archive.

    A measure that is known of a candidate is taken as it is. Where it is not known, nor anything learnt, it may lie
    anywhere on its axis. A model is fitted when it is asked first.

    Args:
        archive: whose metrics are predicted.
        observations: what is learnt from.
        known: what is known before an evaluation.
        knows: whether that is anything.
        kind: of the models.
        trees: in a forest.
        own: predicts the objective in place of a model.
        columns: known metrics that models learn from beside the genes.
    """

    def __init__(
        self,
        archive: Archive,
        observations: Observations,
        known: KnownMetrics,
        knows: bool,
        kind: Kind,
        trees: int,
        own: Surrogate | None,
        columns: Sequence[str] = (),
    ) -> None:
        self.objective, self.own = archive.objective, own
        self.measures = [axis.metric for axis in archive.axes]
        self.fitted = 0
        """The number of observations that were learnt from; 0 before there are enough."""
        self._axes, self._observations, self._known, self._knows = archive.axes, observations, known, knows
        scales = {axis.metric: axis.scale for axis in archive.axes}
        names = self.measures if own else [self.objective.metric, *self.measures]
        self._models = {name: _model(kind, trees, scales.get(name) == "log") for name in names}
        self._more = columns
        self._table = np.zeros((0, 0))
        self._columns: dict[str, np.ndarray] = {}
        self._due: set[str] = set()

    def fit(self, first: int) -> None:
        """Learn from the first this many observations, unless these are too few."""
        if first < FEWEST_ROWS:
            return
        observations = self._observations
        columns = {axis.metric: axis.position(observations.metric(axis.metric, first)) for axis in self._axes}
        rows = np.flatnonzero(np.isfinite([*columns.values()]).all(axis=0))  # 0 has no place on a logarithmic axis
        if len(rows) < FEWEST_ROWS:
            return
        columns[self.objective.metric] = observations.objectives(first)
        self._table = self._widened(observations.genotypes[:first], None, observations.rows(first))[rows]
        self._columns = {name: column[rows] for name, column in columns.items()}
        self._due = set(self._models)
        if self.own is not None:
            self.own.fit(observations.genotypes[:first], columns[self.objective.metric])
        self.fitted = first

    def predict(self, genotypes: Genotypes, keys: Sequence[str], table: np.ndarray) -> Expected:
        """Args: N valid genotypes, their keys, and (N, D), their rows."""
        expected, table = Expected({}, {}), self._widened(genotypes, keys, table)
        low, high = self.objective.low, self.objective.high
        guess = self.objective.sign * (low + high) / 2, (high - low) / 4
        self._add(expected, self.objective.metric, genotypes, table, np.full(len(table), np.nan), guess)
        known = self._known(genotypes, self.measures, keys)
        for axis in self._axes:
            exact = known_positions(axis, known, len(table))
            low, high = axis.bounds()
            self._add(expected, axis.metric, genotypes, table, exact, ((low + high) / 2, (high - low) / 4))
        return expected

    @property
    def place_candidates(self) -> bool:
        """Whether anything is said of measures, so that candidates differ in the cells that they may fall into."""
        return self._knows or self.fitted > 0

    def improvement(self, archive: CellArchive, expected: Expected) -> ExpectedImprovement:
        """How much each candidate would improve the archive."""
        measures = [expected.metrics[name] for name in self.measures]
        return ExpectedImprovement(archive, expected.metrics[self.objective.metric], measures)

    def forecast(self, expected: Expected) -> Forecast:
        """What the log is to hold: what models say, and not what is known or guessed."""
        metrics = {
            name: Prediction(*(np.where(learnt, column, np.nan) for column in expected.metrics[name]))
            for name, learnt in expected.learnt.items()
            if learnt.any()
        }
        explained = {name: one.explained for name, one in self._models.items() if self.fitted and name not in self._due}
        own = {"own": self.own.describe()} if self.own else {}
        return Forecast(metrics, self.fitted, {"explained": explained, **own})

    def _add(
        self,
        expected: Expected,
        name: str,
        genotypes: Genotypes,
        table: np.ndarray,
        exact: np.ndarray,
        guess: tuple[float, float],
    ) -> None:
        unknown = np.isnan(exact)
        mean, deviation = exact.copy(), np.zeros(len(exact))
        learnt = np.zeros(len(exact), dtype=bool)
        if name == self.objective.metric and self.own is not None:
            mean, deviation = self.own.predict(genotypes)
            learnt[:] = True
        elif unknown.any():
            learnt = unknown & bool(self.fitted)
            one = self._model_of(name).predict(table[unknown]) if self.fitted else Prediction(*map(np.asarray, guess))
            mean[unknown], deviation[unknown] = one
        expected.metrics[name] = Prediction(mean, deviation)
        expected.learnt[name] = learnt

    def _widened(self, genotypes: Genotypes, keys: Sequence[str] | None, table: np.ndarray) -> np.ndarray:
        """(N, D) → (N, D + 2 · columns): each known metric, 0 where it is not known, and whether it is."""
        if not self._more:
            return table
        found = self._known(genotypes, self._more, keys)
        nothing = np.full(len(table), np.nan)
        columns = np.stack([found.get(name, nothing) for name in self._more], axis=1)
        return np.concatenate([table, np.nan_to_num(columns), np.isfinite(columns)], axis=1)

    def _model_of(self, name: str) -> RowModel:
        if name in self._due:
            self._models[name].fit(self._table, self._columns[name])
            self._due.discard(name)
        return self._models[name]


def known_positions(axis: Axis, known: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """(N,) float64: where candidates are known to lie on an axis, NaN where it is not known; at most its length beyond.

    Args:
        axis: of a measure.
        known: {metric: (N,) float64} in the metric's own unit, where any is known.
        size: N.
    """
    low, high = axis.bounds()
    if axis.metric not in known:
        return np.full(size, np.nan)
    values = known[axis.metric]
    positions = axis.position(values)
    outside = np.isnan(positions) & ~np.isnan(values)  # no such category
    return np.clip(np.where(outside, -np.inf, positions), 2 * low - high, 2 * high - low)


def _model(kind: Kind, trees: int, logarithmic: bool) -> RowModel:
    if kind == "forest":
        return Forest(trees)
    return Additive(logarithmic) if kind == "additive" else Combined(trees, logarithmic)
