"""A random forest that says how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Prediction, RowModel
from .calibration import calibrate, share_explained


class Forest(RowModel):
    """A random forest (Breiman 2001) for small tables, with a calibrated standard deviation.

    The variance of a prediction is a + b · (variance between the trees), after SMAC (Hutter, Hoos & Leyton-Brown 2011),
    which takes the trees' variance as it is. Deviation: a and b, at least 0, are fitted to the squared errors of rows
    that trees have not seen (out of bag), so that the deviation is one of what an evaluation gives, noise included.

    Args:
        trees: how many.
        features: share of the columns that a split may choose from, in (0, 1].
        most: of more rows than these, each tree is fitted to so many draws; None: to as many as there are rows.
    """

    def __init__(self, trees: int = 64, features: float = 0.5, most: int | None = None) -> None:
        self.trees, self.features, self.most = trees, features, most
        self._estimators: list[Any] = []
        self._noise, self._scale = 0.0, 1.0
        self._exponent = 0  # values are learned times 2 to the power of minus this: trees do not split what is tiny

    def fit(self, rows: np.ndarray, values: np.ndarray) -> None:
        from sklearn.ensemble import RandomForestRegressor  # most searches fit none

        # a seed that follows from the rows alone: a forest that is fitted again is the same to the bit
        draws = self.most if self.most and self.most < len(rows) else None
        model = RandomForestRegressor(self.trees, max_features=self.features, max_samples=draws, random_state=len(rows))
        rows = rows.astype(np.float32)
        self._exponent = int(np.frexp(np.abs(values).max())[1])
        values = np.ldexp(values, -self._exponent)
        model.fit(rows, values)
        self._estimators = [one.tree_ for one in model.estimators_]
        drawn = np.zeros((self.trees, len(rows)), dtype=bool)
        for tree, of_tree in enumerate(model.estimators_samples_):
            drawn[tree, of_tree] = True
        self._calibrate(np.ma.array(self._by_tree(rows), mask=drawn), values)

    def predict(self, rows: np.ndarray) -> Prediction:
        values = self._by_tree(rows.astype(np.float32))
        return self._scaled_back(values.mean(axis=0), values.var(axis=0))

    def _by_tree(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([tree.predict(rows)[:, 0] for tree in self._estimators])

    def _scaled_back(self, mean: np.ndarray, variance: np.ndarray) -> Prediction:
        deviation = np.sqrt(self._noise + self._scale * variance)
        return Prediction(np.ldexp(mean, self._exponent), np.ldexp(deviation, self._exponent))

    def _calibrate(self, by_tree: np.ma.MaskedArray, values: np.ndarray) -> None:
        """Args: (T, N) predictions, masked where the tree was fitted to the row, and (N,) what there is to predict."""
        enough = by_tree.count(axis=0) >= 2
        everywhere = values.mean()  # of a row that nearly all trees were fitted to, nothing better is known
        mean = np.where(enough, by_tree.mean(axis=0).filled(everywhere), everywhere)
        variance = by_tree.var(axis=0).filled(0.0)
        errors = mean - values
        self._noise, self._scale = calibrate(errors[enough], variance[enough, None])
        self.explained = share_explained(errors[enough], values[enough])
        self.unseen = self._scaled_back(mean, variance)
