"""A Gaussian process, which learns what genes do together from fewer results than a forest needs."""

from __future__ import annotations

from itertools import product

import numpy as np

from .base import Prediction, RowModel
from .calibration import calibrate, share_explained
from .threads import one_thread

MOST_ROWS = 300
"""Of more, so many are learnt from, evenly spread over them: its time goes with the cube of their number."""
TRIAL_ROWS = 150
"""From so many the kernel is chosen."""
MIXES = (0.3, 0.7)
LENGTHS = (1.0, 2.0)
NOISES = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Of which kernels are made: see `Process`."""


class Process(RowModel):
    """Gaussian process regression (Rasmussen & Williams 2006) on standardised columns.

    The kernel is a constant, plus (1 - mix) · linear + mix · Matérn 5/2 of a length, plus noise; mix, length and noise
    are chosen from a few by the marginal likelihood, and the scale of all follows from it. The variance of a prediction
    is a + b · (that of the process), with a and b, at least 0, fitted to squared leave-one-out errors, which have a
    closed form, and to those of rows that were not learnt from.
    """

    def fit(self, rows: np.ndarray, values: np.ndarray) -> None:
        self._exponent = int(np.frexp(np.abs(values).max())[1])
        values = np.ldexp(values, -self._exponent)
        self._centre, self._widths = rows.mean(axis=0), rows.std(axis=0)
        self._kept = self._widths > 0
        self._table = table = self._scaled(rows)
        self._middle = float(values.mean())
        with one_thread():
            self._choose_kernel(*(column[_spread(len(values), TRIAL_ROWS)] for column in (table, values)))
            learnt = _spread(len(values), MOST_ROWS)
            self._table = table[learnt]
            kernel = self._kernel(self._table, self._table)
            kernel[np.diag_indices(len(learnt))] += self._noise
            self._inverse = np.linalg.inv(kernel)
            self._weights = self._inverse @ (values[learnt] - self._middle)
            mean, variance = np.empty(len(values)), np.empty(len(values))
            others = np.setdiff1d(np.arange(len(values)), learnt)
            mean[others], variance[others] = self._posterior(table[others])
        variance[learnt] = 1 / np.diag(self._inverse)
        mean[learnt] = values[learnt] - self._weights * variance[learnt]
        errors = mean - values
        self._shares = calibrate(errors, variance[:, None])
        self.explained = share_explained(errors, values)
        self.unseen = self._scaled_back(mean, variance)

    def predict(self, rows: np.ndarray) -> Prediction:
        with one_thread():
            return self._scaled_back(*self._posterior(self._scaled(rows)))

    def _choose_kernel(self, table: np.ndarray, values: np.ndarray) -> None:
        targets, best = values - self._middle, np.inf
        self._scale = float((table**2).sum() / len(table)) or 1.0
        found = (MIXES[0], LENGTHS[0], NOISES[-1])
        for self._mix, self._length in product(MIXES, LENGTHS):
            kept, vectors = np.linalg.eigh(self._kernel(table, table))
            shares = (vectors.T @ targets) ** 2
            for noise in NOISES:
                spectrum = np.maximum(kept, 0.0) + noise
                quadratic = float((shares / spectrum).sum())
                cost = len(targets) * np.log(quadratic or 1.0) + float(np.log(spectrum).sum())
                if cost < best:
                    best, found = cost, (self._mix, self._length, noise)
        self._mix, self._length, self._noise = found

    def _kernel(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(N, D) and (M, D) → (N, M)."""
        products = a @ b.T
        squares = np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * products, 0.0) / self._scale
        far = np.sqrt(5 * squares) / self._length
        matern = (1 + far + far**2 / 3) * np.exp(-far)
        return CONSTANT + (1 - self._mix) * products / self._scale + self._mix * matern

    def _posterior(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance, noise included, as a multiple of the kernel's scale, (N,) each."""
        kernel = self._kernel(table, self._table)
        prior = CONSTANT + (1 - self._mix) * (table**2).sum(axis=1) / self._scale + self._mix + self._noise
        variance = prior - ((kernel @ self._inverse) * kernel).sum(axis=1)
        return self._middle + kernel @ self._weights, np.maximum(variance, self._noise)

    def _scaled_back(self, mean: np.ndarray, variance: np.ndarray) -> Prediction:
        deviation = np.sqrt(self._shares[0] + self._shares[1] * variance)
        return Prediction(np.ldexp(mean, self._exponent), np.ldexp(deviation, self._exponent))

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        return ((rows - self._centre)[:, self._kept]) / self._widths[self._kept]


CONSTANT = 0.5
"""Of the kernel: the mean of all genotypes is not known."""


def _spread(rows: int, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spread."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64))
