"""Acquisition: which candidates are worth evaluating, by what the archive is expected to gain from each."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, qmc

from ..archives import CellArchive
from .base import Prediction

POINTS = 16
"""Places on the axes at which each candidate is imagined."""
SMALLEST = 1e-12
"""Deviations below this share of the objective's range count as this."""


class ExpectedImprovement:
    """Expected improvement of the QD score: how much a candidate would raise the elite of the cell that it falls into.

    This is the expected joint improvement of elites of BOP-Elites (Kent, Gaier, Mouret & Branke, arXiv 2005.01320): the
    expected improvement over the elite of each cell, weighted by the probability that the candidate falls there. An
    empty cell's elite counts as the objective's worst value. Deviations: the probabilities are counted over a fixed,
    evenly spread set of points rather than integrated, which works for cells of any shape; and several candidates are
    chosen at once, each as if those chosen before had given just what is expected of them.

    Args:
        archive: is only read.
        objective: of N candidates.
        measures: of the N candidates, one for each axis and on its scale.
    """

    def __init__(self, archive: CellArchive, objective: Prediction, measures: list[Prediction]) -> None:
        mean = np.stack([one.mean for one in measures], axis=1)
        deviation = np.stack([one.deviation for one in measures], axis=1)
        points = norm.ppf(
            qmc.Halton(len(measures), scramble=False).random(POINTS + 1)[1:]
        )  # the first lies at infinity
        imagined = mean[:, None, :] + deviation[:, None, :] * points
        cells, to_beat = archive.to_beat(imagined.reshape(-1, len(measures)))
        self._objective = objective
        self._smallest = SMALLEST * (archive.objective.high - archive.objective.low)
        self._cells, self._to_beat = cells.reshape(-1, POINTS), to_beat.reshape(-1, POINTS)
        self._likely = archive.to_beat(mean)[0]
        rows = np.arange(len(mean))
        self.values = np.zeros(len(mean))
        """(N,) float64."""
        self._update(rows)

    def choose(self, n: int) -> np.ndarray:
        """(n,) int64: those that improve the archive most, together; at most N."""
        chosen: list[int] = []
        for _ in range(min(n, len(self.values))):
            row = int(self.values.argmax())
            chosen.append(row)
            same = self._cells == self._likely[row]
            self._to_beat[same] = np.maximum(self._to_beat[same], self._objective.mean[row])
            self._update(np.flatnonzero(same.any(axis=1)))
            self.values[chosen] = -np.inf
        return np.array(chosen, dtype=np.int64)

    def _update(self, rows: np.ndarray) -> None:
        mean, deviation = (column[rows, None] for column in self._objective)
        above, deviation = mean - self._to_beat[rows], np.maximum(deviation, self._smallest)
        ratio = np.maximum(above / deviation, -40.0)  # beyond, it is 0; at minus infinity it would be 0 · ∞
        improvements = deviation * (ratio * norm.cdf(ratio) + norm.pdf(ratio))
        self.values[rows] = improvements.mean(axis=1)
