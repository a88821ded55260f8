"""What surrogates are: models that say, before an evaluation, what they expect and how surely."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from search_spaces import Genotypes


class Prediction(NamedTuple):
    """What a surrogate expects, in columns over N.

    `mean` is NaN where the surrogate knows nothing: such candidates are chosen as plain variation chooses them.
    """

    mean: np.ndarray
    """(N,) float64: the objective, signed (more is better), or a measure on its axis's scale."""
    deviation: np.ndarray
    """(N,) float64, at least 0: the standard deviation of what an evaluation would give; NaN where `mean` is."""

    def take(self, rows: np.ndarray) -> Prediction:
        """Of the given rows, in the given order."""
        return Prediction(self.mean[rows], self.deviation[rows])


FEWEST_ROWS = 8
"""Fewer results than these teach a model of rows nothing."""


class RowModel(ABC):
    """Predicts one number from rows of numbers, as `Encoding` makes them of genotypes.

    Its deviation is one of what an evaluation gives, noise included. Equal calls of `fit` and `predict` must give equal
    answers, to the bit, in any process: a search that is resumed fits its models again on what the log holds.
    """

    explained: float = 0.0
    """Share of the variance that is explained in rows that were not fitted; at most 1, and below 0 where the mean
    explains more."""
    unseen: Prediction
    """(N,) each, of the rows that `fit` was given: what models that were not fitted to the row expect of it."""

    @abstractmethod
    def fit(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Learn, and forget what was learnt before.

        Args:
            rows: (N, D) float64, at least `FEWEST_ROWS`.
            values: (N,) float64, finite.
        """

    @abstractmethod
    def predict(self, rows: np.ndarray) -> Prediction:
        """(N, D) rows → mean and deviation, (N,) each."""


class Surrogate(ABC):
    """Predicts the objective of genotypes that were not evaluated.

    An evaluator that knows more of its candidates than their genes say may give a surrogate of its own
    (`Evaluator.surrogate`). Equal calls of `fit` and `predict` must give equal answers, to the bit, in any process: a
    search that is resumed does not store its surrogate, but fits it again on what the log holds.
    """

    @abstractmethod
    def fit(self, genotypes: Genotypes, objectives: np.ndarray) -> None:
        """Learn from all answers so far, and forget what was learnt before.

        Args:
            genotypes: N of them, at least one, in the order in which their answers came.
            objectives: (N,) float64, finite, signed: more is better.
        """

    @abstractmethod
    def predict(self, genotypes: Genotypes) -> Prediction:
        """Return what to expect of valid genotypes; before the first `fit`, what is known without any answer."""

    def describe(self) -> dict[str, Any]:
        """Return what people may want to know of the fitted surrogate, as plain data; it stands in the log."""
        return {}
