"""A linear model of genes, which learns at once what adds up over them."""

from __future__ import annotations

import numpy as np

from .base import Prediction, RowModel
from .calibration import calibrate, share_explained
from .threads import one_thread

STRENGTHS = tuple(np.geomspace(1e-3, 1e4, 15).tolist())
"""Of the penalty, from which one is chosen; it counts as this many rows that say "no effect"."""
LEAST = 0.5
"""Share of the least value seen, below which a sum counts as this: it has a logarithm."""


class Additive(RowModel):
    """Ridge regression (Hoerl & Kennard 1970) on columns of genes, its strength chosen by leave-one-out errors.

    Columns of two values, such as those of options, are scaled to 0 and 1, others to a deviation of 1/2, so that a
    penalty means the same for both (Gelman 2008). Leave-one-out errors and what each row decides by itself (its
    leverage) have a closed form. The variance of a prediction is a + b · leverage, with a and b, at least 0, fitted to
    the squared leave-one-out errors.

    Args:
        logarithmic: whether the values are logarithms (to base 10) of what may add up, such as parameters or
            milliseconds. Then a model of the numbers themselves, by their relative errors, competes with one of the
            logarithms, and the one with the smaller leave-one-out error is taken.
    """

    def __init__(self, logarithmic: bool = False) -> None:
        self.logarithmic = logarithmic

    def fit(self, rows: np.ndarray, values: np.ndarray) -> None:
        self._exponent = int(np.frexp(np.abs(values).max())[1])
        self._centre = rows.mean(axis=0)
        self._widths, self._kept = _widths(rows)
        with one_thread():
            table = self._scaled(rows)
            self._fit = _Fit(table, np.ldexp(values, -self._exponent))
            self._top: float | None = None
            fitted = self._unseen(self._fit, None)
            if self.logarithmic:
                top = float(values.max())
                other = _Fit(table, 10.0 ** (values - top), relative=True)
                found = self._unseen(other, top)
                if ((found[0] - values) ** 2).sum() < ((fitted[0] - values) ** 2).sum():
                    self._fit, self._top, fitted = other, top, found
        mean, leverage = fitted
        errors = np.ldexp(mean - values, -self._exponent)
        self._noise, self._scale = calibrate(errors, leverage[:, None])
        self.explained = share_explained(errors, np.ldexp(values, -self._exponent))
        self.unseen = Prediction(mean, self._deviation(leverage))

    def predict(self, rows: np.ndarray) -> Prediction:
        with one_thread():
            mean, leverage = self._on_scale(self._fit, self._top, *self._fit.predict(self._scaled(rows)))
        return Prediction(mean, self._deviation(leverage))

    def _unseen(self, fit: _Fit, top: float | None) -> tuple[np.ndarray, np.ndarray]:
        return self._on_scale(fit, top, fit.left_out, fit.leverage)

    def _on_scale(
        self, fit: _Fit, top: float | None, sums: np.ndarray, leverage: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sums and their leverage, as values have them."""
        if top is None:
            return np.ldexp(sums, self._exponent), leverage
        sums = np.maximum(sums, fit.least)
        return np.log10(sums) + top, leverage / sums**2

    def _deviation(self, leverage: np.ndarray) -> np.ndarray:
        return np.ldexp(np.sqrt(self._noise + self._scale * leverage), self._exponent)

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        return ((rows - self._centre) / self._widths)[:, self._kept]


class _Fit:
    """Ridge regression with an intercept that is not penalised.

    Args:
        table: (N, D) float64.
        values: (N,) float64; greater than 0 where `relative`.
        relative: whether relative errors count.
    """

    def __init__(self, table: np.ndarray, values: np.ndarray, relative: bool = False) -> None:
        weights = 1 / values if relative else np.ones(len(values))
        weights /= np.sqrt((weights**2).mean())
        self.least = LEAST * float(values.min())
        self._mean = weights**2 @ table / len(values)
        self._middle = float(weights**2 @ values) / len(values)
        self._rows = len(values)
        left, singular, self._right = np.linalg.svd(weights[:, None] * (table - self._mean), full_matrices=False)
        targets = weights * (values - self._middle)
        shares = left.T @ targets
        lines = []
        for strength in STRENGTHS:
            kept = singular**2 / (singular**2 + strength)
            hat = np.minimum(weights**2 / self._rows + left**2 @ kept, 1 - 1e-9)
            lines.append((targets - left @ (kept * shares), hat, strength))
        residuals, hat, self._strength = min(lines, key=lambda line: float(((line[0] / (1 - line[1])) ** 2).sum()))
        self._scales = 1 / (singular**2 + self._strength)
        self._effects = self._right.T @ (singular * self._scales * shares)
        self.left_out = values - residuals / (1 - hat) / weights
        """(N,) float64: what the other rows say of each."""
        self.leverage = hat / (1 - hat) / weights**2
        """(N,) float64, at least 0: the variance of that, as a multiple of the noise's."""

    def predict(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, D) → sums and leverage, (N,) each."""
        table = table - self._mean
        squares = (table @ self._right.T) ** 2
        new = np.maximum((table**2).sum(axis=1) - squares.sum(axis=1), 0.0)  # known by the penalty alone
        leverage = 1 / self._rows + squares @ self._scales + new / self._strength
        return self._middle + table @ self._effects, leverage


def _widths(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What columns are divided by, and which of them vary."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    two = ((rows == low) | (rows == high)).all(axis=0)
    widths = np.where(two, high - low, 2 * rows.std(axis=0))
    varies = widths > 0
    return np.where(varies, widths, 1.0), varies
