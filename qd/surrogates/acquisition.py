"""Acquisition: which candidates are worth evaluating, by what the archive is expected to gain from each."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from ..archives import CellArchive
from .base import Prediction

POINTS = 64
"""Places on the axes at which each candidate is imagined."""
SMALLEST = 1e-12
"""Deviations below this share of the objective's range count as this."""


class ExpectedImprovement:
    """Expected improvement of the QD score: how much a candidate would raise the elite of the cell that it falls into.

    This is the expected joint improvement of elites of BOP-Elites (Kent, Gaier, Mouret & Branke, arXiv 2005.01320): the
    expected improvement over the elite of each cell, weighted by the probability that the candidate falls there. An
    empty cell's elite counts as the objective's worst value. Deviations: the probabilities are counted over a fixed,
    evenly spread set of points rather than integrated, which works for cells of any shape; and several candidates are
    chosen at once, each as if those chosen before had raised the elites of all cells that they may fall into, by what
    is expected of them times the probability of the cell.

    Args:
        archive: is only read.
        objective: of N candidates.
        measures: of the N candidates, one for each axis and on its scale.
    """

    def __init__(self, archive: CellArchive, objective: Prediction, measures: list[Prediction]) -> None:
        mean = np.stack([one.mean for one in measures], axis=1)
        deviation = np.stack([one.deviation for one in measures], axis=1)
        self._points = POINTS if deviation.any() else 1  # where all places are known, one says it all
        points = ndtri(
            qmc.Halton(len(measures), scramble=False).random(self._points + 1)[1:]
        )  # the first lies at infinity
        imagined = mean[:, None, :] + deviation[:, None, :] * points
        cells, to_beat = archive.to_beat(imagined.reshape(-1, len(measures)))
        self._objective = objective
        self._smallest = SMALLEST * (archive.objective.high - archive.objective.low)
        self._cells, self._to_beat = cells.reshape(-1, self._points), to_beat.reshape(-1, self._points)
        self.values = np.zeros(len(mean))
        """(N,) float64."""
        self._update(np.arange(len(mean)))

    def choose(self, n: int) -> np.ndarray:
        """(n,) int64: those that improve the archive most, together; at most N."""
        numbers, places = np.unique(self._cells, return_inverse=True)
        places = places.reshape(self._cells.shape)
        chosen: list[int] = []
        for _ in range(min(n, len(self.values))):
            row = int(self.values.argmax())
            chosen.append(row)
            likely = np.bincount(places[row], minlength=len(numbers)) / self._points
            likely[numbers < 0] = 0.0  # outside, nothing is inserted
            self._expect(row, likely[places])
            self.values[chosen] = -np.inf
        return np.array(chosen, dtype=np.int64)

    def _expect(self, row: int, shares: np.ndarray) -> None:
        """Raise the elites of the cells that a candidate may fall into, by what is expected of it.

        Args:
            row: of the candidate.
            shares: (N, points), how likely the candidate falls into the cell of each point.
        """
        rows = np.flatnonzero(shares.any(axis=1))
        above = np.maximum(self._objective.mean[row] - self._to_beat[rows], 0.0)
        self._to_beat[rows] += shares[rows] * above
        self._update(rows)

    def _update(self, rows: np.ndarray) -> None:
        mean, deviation = (column[rows, None] for column in self._objective)
        above, deviation = mean - self._to_beat[rows], np.maximum(deviation, self._smallest)
        ratio = np.maximum(above / deviation, -40.0)  # beyond, it is 0; at minus infinity it would be 0 · ∞
        improvements = deviation * (ratio * ndtr(ratio) + np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi))
        self.values[rows] = improvements.mean(axis=1)
