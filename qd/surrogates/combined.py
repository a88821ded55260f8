"""A forest, an additive model and a Gaussian process together, each trusted as far as it was right."""

from __future__ import annotations

import numpy as np

from .additive import Additive
from .base import Prediction, RowModel
from .calibration import calibrate, share_explained
from .forest import Forest
from .process import Process

FIRM = 10.0
"""How firmly weights add up to 1: the error of that counts as this many times all errors."""
LEAST_WEIGHT = 0.05
"""A model with less is left out."""


MOST_DRAWS = 500
"""Of rows for a tree: forests take most of the time where there are many."""


class Combined(RowModel):
    """A stack of a `Forest`, an `Additive` model and a `Process` (Wolpert 1992).

    Weights are at least 0 (Breiman 1996).

    The weights are fitted to what each model expects of rows that it has not seen: trees that were not given a row, and
    the other rows' ridge regression. Deviations from Breiman's: weights add up to 1, and no cross-validation is needed.
    The variance of a prediction is a + b · (variance of the models' deviations) + c · (their disagreement), weighted,
    with a, b and c, at least 0, fitted to squared errors in the same rows.

    Args:
        trees: in the forest.
        logarithmic: see `Additive`.
    """

    def __init__(self, trees: int = 64, logarithmic: bool = False) -> None:
        self._models: list[RowModel] = [Forest(trees, most=MOST_DRAWS), Additive(logarithmic), Process()]

    def fit(self, rows: np.ndarray, values: np.ndarray) -> None:
        for model in self._models:
            model.fit(rows, values)
        unseen = [model.unseen for model in self._models]
        self._exponent = int(np.frexp(np.abs(values).max())[1])
        self._weights = _weights(np.stack([np.ldexp(one.mean - values, -self._exponent) for one in unseen], axis=1))
        mean, spreads = self._join(unseen)
        errors = mean - np.ldexp(values, -self._exponent)
        self._shares = calibrate(errors, spreads)
        self.explained = share_explained(errors, np.ldexp(values, -self._exponent))
        self.unseen = self._scaled_back(mean, spreads)

    def predict(self, rows: np.ndarray) -> Prediction:
        nothing = Prediction(np.zeros(len(rows)), np.zeros(len(rows)))
        pairs = zip(self._models, self._weights, strict=True)
        return self._scaled_back(*self._join([model.predict(rows) if weight else nothing for model, weight in pairs]))

    def _join(self, predictions: list[Prediction]) -> tuple[np.ndarray, np.ndarray]:
        """The mean, (N,), and what may go with its squared error, (N, 2)."""
        means, deviations = (np.ldexp(np.stack(column), -self._exponent) for column in zip(*predictions, strict=True))
        mean = self._weights @ means
        return mean, np.stack([self._weights @ deviations**2, self._weights @ (means - mean) ** 2], axis=1)

    def _scaled_back(self, mean: np.ndarray, spreads: np.ndarray) -> Prediction:
        deviation = np.sqrt(self._shares[0] + spreads @ self._shares[1:])
        return Prediction(np.ldexp(mean, self._exponent), np.ldexp(deviation, self._exponent))


def _weights(errors: np.ndarray) -> np.ndarray:
    """(N, K) errors → (K,) weights, at least 0 and 1 together, with which the squared error is least."""
    from scipy.optimize import nnls

    firm = FIRM * np.sqrt((errors**2).sum()) or 1.0
    weights = nnls(np.vstack([errors, np.full(errors.shape[1], firm)]), np.append(np.zeros(len(errors)), firm))[0]
    weights[weights < LEAST_WEIGHT * weights.sum()] = 0.0
    return weights / weights.sum()
