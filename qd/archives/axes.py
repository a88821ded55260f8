"""What spans an archive: named axes, and an objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Axis:
    """A measure cut into bins; on a log scale the bins are equal in log10.

    Where `categories` are given, each has a bin of its own, and positions count them from 0: `low` is -0.5 and `high`
    half less than their number.
    """

    metric: str
    low: float
    high: float
    bins: int
    scale: str
    unit: str
    categories: tuple[float, ...] = ()

    def position(self, values: np.ndarray) -> np.ndarray:
        """(N,) values in the metric's unit → (N,) positions that are cut evenly; NaN where there is none."""
        values = np.asarray(values, dtype=np.float64)
        if self.categories:
            return self._numbers(values)
        if self.scale == "linear":
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(values)

    def values(self, positions: np.ndarray) -> np.ndarray:
        """(N,) positions → (N,) values in the metric's unit: the other way round."""
        if self.categories:
            return np.asarray(self.categories)[positions.astype(np.int64)]
        return positions if self.scale == "linear" else 10.0**positions

    def bounds(self) -> tuple[float, float]:
        """Positions of the lower and the upper end."""
        if self.categories:
            return self.low, self.high
        low, high = self.position(np.array([self.low, self.high]))
        return float(low), float(high)

    def edges(self) -> np.ndarray:
        """(bins + 1,) edges in the metric's unit; half-way between the numbers of categories."""
        edges = np.linspace(*self.bounds(), self.bins + 1)
        return edges if self.scale == "linear" else 10.0**edges

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        order = np.argsort(self.categories)
        ordered = np.asarray(self.categories)[order]
        place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
        return np.where(ordered[place] == values, order[place].astype(np.float64), np.nan)


@dataclass(frozen=True)
class Objective:
    """The metric to maximise or minimise; [low, high] is finite, in the metric's own unit."""

    metric: str
    direction: str
    low: float
    high: float
    unit: str

    @property
    def sign(self) -> float:
        """+1 to maximise, -1 to minimise: the archive itself always maximises."""
        return 1.0 if self.direction == "maximise" else -1.0

    @property
    def worst(self) -> float:
        """The worst value, signed: what the QD score counts from."""
        return self.low if self.direction == "maximise" else -self.high
