"""What spans an archive: named axes, and an objective."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from ..config import LARGEST, SMALLEST


@dataclass(frozen=True)
class Axis:
    """A measure cut into bins; on a log scale the bins are equal in log10.

    A bin holds what is at least its lower edge and less than its upper edge, and the last bin its upper edge too: no
    tolerance, whatever the scale. An edge is the number nearest to what the bounds say as they are written, so that a
    third of 0.3 is 0.1.

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

    @property
    def too_fine(self) -> bool:
        """Whether there are more bins than numbers to tell them apart."""
        return not (self._cuts[:-1] < self._cuts[1:]).all()

    def bins_of(self, positions: np.ndarray) -> np.ndarray:
        """(N,) positions within the bounds → (N,) int64 bins."""
        return np.minimum(np.searchsorted(self._cuts, positions, side="right") - 1, self.bins - 1)

    def shares(self, positions: np.ndarray) -> np.ndarray:
        """(N,) positions → (N,) shares of the way from the lower end to the upper one: 0 to 1 inside."""
        low, high = self.bounds()
        unit = 0.25 if max(-low, high) > LARGEST else 1.0
        return (unit * positions - unit * low) / (unit * high - unit * low)

    def between(self, shares: np.ndarray) -> np.ndarray:
        """(N,) shares → (N,) positions: the other way round."""
        low, high = self.bounds()
        return low * (1 - shares) + high * shares if max(-low, high) > LARGEST else low + shares * (high - low)

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
        return self._edges.copy()

    @cached_property
    def _edges(self) -> np.ndarray:
        low, high = (Fraction(str(end)) for end in self.bounds())
        divisor = low.denominator * high.denominator
        first, last, bins = int(low * divisor), int(high * divisor), self.bins
        edges = np.array([(first * (bins - k) + last * k) / (divisor * bins) for k in range(bins + 1)])
        if self.scale == "log":
            with np.errstate(over="ignore"):  # near the largest number: clipped
                edges = np.clip(10.0**edges, self.low, self.high)
            edges[[0, -1]] = self.low, self.high
        return edges

    @cached_property
    def _cuts(self) -> np.ndarray:
        """The positions of the edges."""
        return self._edges if self.categories else self.position(self._edges)

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        order = np.argsort(self.categories)
        ordered = np.asarray(self.categories)[order]
        place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
        return np.where(ordered[place] == values, order[place].astype(np.float64), np.nan)


def widened(low: float, high: float) -> tuple[float, float]:
    """A range of values that bins, colours or a ruler can be laid over: as it is, or wider where it is none."""
    low, high = (min(max(end, -LARGEST), LARGEST) for end in (low, high))
    size = max(abs(low), abs(high))
    if high - low >= max(1e-12 * size, SMALLEST):
        return low, high
    around = max(size / 2, SMALLEST) if size else 0.5
    return low - around, high + around


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
