"""Cells around given points: a centroidal Voronoi tessellation, for many measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import ribs.archives
from scipy.spatial import KDTree

from .axes import Axis, Objective
from .base import CellArchive

ITERATIONS = 50


class CVTArchive(CellArchive):
    """The best of every cell of a tessellation (CVT-MAP-Elites; Vassiliades, Chatzilygeroudis & Mouret 2018).

    A cell is what is nearer to its centroid than to any other, all axes scaled to [0, 1].

    Args:
        objective: what makes the best.
        axes: their bins do not matter here; they serve where the elites are looked at on a grid.
        centroids: (C, M) float64 in [0, 1], of `tessellate`.
        outside: "drop" or "clip".
    """

    kind = "cvt"

    def __init__(
        self, objective: Objective, axes: Sequence[Axis], centroids: np.ndarray, outside: str = "drop"
    ) -> None:
        super().__init__(objective, axes, outside)
        self.centroids = centroids
        self._tree = KDTree(centroids)

    @property
    def cells(self) -> int:
        return len(self.centroids)

    @property
    def pyribs(self) -> ribs.archives.CVTArchive:
        tessellation = ribs.archives.CVTArchive(
            solution_dim=(),
            solution_dtype=np.int64,
            centroids=self.centroids,
            ranges=[(0.0, 1.0)] * len(self.axes),  # pyribs does not scale axes before it measures distances
            qd_score_offset=self.objective.worst,
        )
        if len(self):
            scaled = (self.elites.positions - self._low) / (self._high - self._low)
            tessellation.add(self.elites.evaluations, self.objective.sign * self.elites.objectives, scaled)
        return tessellation

    def position(self, cell: int) -> tuple[int, ...]:
        return (cell,)

    def emptied(self) -> Self:
        return type(self)(self.objective, self.axes, self.centroids, "clip" if self.clips else "drop")

    def cells_of(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(self._tree.query((positions - self._low) / (self._high - self._low))[1], dtype=np.int64)


def tessellate(cells: int, measures: int, samples: int, seed: int) -> np.ndarray:
    """Return (cells, measures) float64 centroids in [0, 1] of cells of about equal size.

    k-means (Lloyd 1982) over uniform samples, the first of which are the first centroids. A centroid that no sample is
    nearest to stays where it is.
    """
    rng = np.random.default_rng(seed)
    points = rng.random((samples, measures))
    centroids = points[:cells].copy()
    for _ in range(ITERATIONS):
        nearest = KDTree(centroids).query(points)[1]
        counts = np.bincount(nearest, minlength=cells)
        sums = np.stack([np.bincount(nearest, points[:, axis], minlength=cells) for axis in range(measures)], axis=1)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids)
        if np.allclose(moved, centroids, rtol=0, atol=1e-5):
            break
        centroids = moved
    return centroids
