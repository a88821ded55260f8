"""A random forest that says how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Prediction

FEWEST_ROWS = 8
"""Fewer answers than these teach nothing: bootstraps of them leave hardly a row out."""


class Forest:
    """A random forest (Breiman 2001) for small tables, with a calibrated standard deviation.

    The variance of a prediction is a + b · (variance between the trees), after SMAC (Hutter, Hoos & Leyton-Brown 2011),
    which takes the trees' variance as it is. Deviation: a and b, at least 0, are fitted to the squared errors of rows
    that trees have not seen (out of bag), so that the deviation is one of what an evaluation gives, noise included.

    Args:
        trees: how many.
        features: share of the columns that a split may choose from, in (0, 1].
    """

    def __init__(self, trees: int = 64, features: float = 0.5) -> None:
        self.trees, self.features = trees, features
        self._estimators: list[Any] = []
        self._noise, self._scale = 0.0, 1.0
        self._exponent = 0  # values are learned times 2 to the power of minus this: trees do not split what is tiny
        self.explained = 0.0
        """Share of the variance that is explained out of bag; at most 1, and below 0 where the mean explains more."""

    def fit(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Learn from at least `FEWEST_ROWS`.

        Args:
            rows: (N, D) float64.
            values: (N,) float64, finite.
        """
        from sklearn.ensemble import RandomForestRegressor  # most searches fit none

        # a seed that follows from the rows alone: a forest that is fitted again is the same to the bit
        model = RandomForestRegressor(self.trees, max_features=self.features, random_state=len(rows))
        rows = rows.astype(np.float32)
        self._exponent = int(np.frexp(np.abs(values).max())[1])
        values = np.ldexp(values, -self._exponent)
        model.fit(rows, values)
        self._estimators = [one.tree_ for one in model.estimators_]
        unseen = np.ones((self.trees, len(rows)), dtype=bool)
        for tree, drawn in enumerate(model.estimators_samples_):
            unseen[tree, drawn] = False
        self._calibrate(np.where(unseen, self._by_tree(rows), np.nan), values)

    def predict(self, rows: np.ndarray) -> Prediction:
        """(N, D) rows → mean and deviation, (N,) each."""
        values = self._by_tree(rows.astype(np.float32))
        deviation = np.sqrt(self._noise + self._scale * values.var(axis=0))
        return Prediction(np.ldexp(values.mean(axis=0), self._exponent), np.ldexp(deviation, self._exponent))

    def _by_tree(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([tree.predict(rows)[:, 0] for tree in self._estimators])

    def _calibrate(self, unseen: np.ndarray, values: np.ndarray) -> None:
        """Args: (T, N) predictions, NaN where the tree has seen the row, and (N,) what there is to predict."""
        from scipy.optimize import nnls

        known = np.isfinite(unseen).sum(axis=0) >= 2
        errors = (np.nanmean(unseen[:, known], axis=0) - values[known]) ** 2
        variances = np.nanvar(unseen[:, known], axis=0)
        (self._noise, self._scale), _ = nnls(np.column_stack([np.ones_like(variances), variances]), errors)
        spread = values[known].var()
        self.explained = float(1 - errors.mean() / spread) if spread else 0.0
