"""Cells around given points: a centroidal Voronoi tessellation, for many measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import Field

from .axes import Axis, Objective
from .base import CellArchive, ribs_archives

if TYPE_CHECKING:
    from scipy.spatial import KDTree  # SciPy takes a second to load, and most archives are grids

ITERATIONS = 50


class CVTArchive(CellArchive):
    """The best of every cell of a tessellation (CVT-MAP-Elites; Vassiliades, Chatzilygeroudis & Mouret 2018).

    A cell is what is nearer to its centroid than to any other, all axes scaled to [0, 1].

    Args:
        objective: what makes the best.
        axes: their bins do not matter here; they serve where the elites are looked at on a grid.
        cells: how many.
        samples: points that their centroids are found by, no fewer than cells.
        centroid_seed: of these points.
        outside: "drop" or "clip".

    Raises:
        ValueError: there are fewer samples than cells.
    """

    def __init__(
        self,
        objective: Objective,
        axes: Sequence[Axis],
        cells: Annotated[int, Field(ge=1, le=1_000_000)],
        samples: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000,
        centroid_seed: Annotated[int, Field(ge=0, lt=2**53)] = 0,
        outside: str = "drop",
    ) -> None:
        super().__init__(objective, axes, outside)
        if cells > samples:
            raise ValueError(f"a cvt needs at least as many samples as cells, got {samples} and {cells}")
        self._arguments = (cells, samples, centroid_seed)

    @classmethod
    def around(
        cls, objective: Objective, axes: Sequence[Axis], centroids: np.ndarray, outside: str = "drop"
    ) -> CVTArchive:
        """One with given centroids: (C, M) float64 shares of the axes."""
        archive = cls(objective, axes, cells=len(centroids), samples=len(centroids), outside=outside)
        archive.centroids = centroids
        return archive

    @cached_property
    def centroids(self) -> np.ndarray:
        """(C, M) float64 shares of the axes; found when first asked for, unless a log has them."""
        cells, samples, seed = self._arguments
        return tessellate(cells, len(self.axes), samples, seed)

    @cached_property
    def _tree(self) -> KDTree:
        from scipy.spatial import KDTree

        return KDTree(self.centroids)

    @property
    def cells(self) -> int:
        return self._arguments[0]

    def recorded(self) -> dict[str, Any]:
        return {"centroids": self.centroids.tolist()}

    def restore(self, recorded: Mapping[str, Any]) -> None:
        if "centroids" in recorded:
            centroids = np.array(recorded["centroids"], dtype=np.float64)
            if centroids.shape != (self.cells, len(self.axes)) or not np.isfinite(centroids).all():
                raise ValueError(f"expected {self.cells} centroids of {len(self.axes)} finite numbers")
            self.centroids = centroids

    def middles(self) -> np.ndarray:
        return self.centroids[self.elites.cells]

    def corners(self) -> dict[int, np.ndarray] | None:
        return dict(enumerate(_regions(self.centroids)))

    @property
    def pyribs(self) -> Any:
        tessellation = ribs_archives().CVTArchive(
            solution_dim=(),
            solution_dtype=np.int64,
            centroids=self.centroids,
            ranges=[(0.0, 1.0)] * len(self.axes),  # pyribs does not scale axes before it measures distances
            qd_score_offset=self.objective.worst,
        )
        if len(self):
            shares = self.shares(self.elites.positions)
            tessellation.add(self.elites.evaluations, self.objective.sign * self.elites.objectives, shares)
        return tessellation

    def emptied(self) -> Self:
        anew = type(self)(self.objective, self.axes, *self._arguments, "clip" if self.clips else "drop")
        anew.centroids = self.centroids
        return anew

    def cells_of(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(self._tree.query(self.shares(positions))[1], dtype=np.int64)


def tessellate(cells: int, measures: int, samples: int, seed: int) -> np.ndarray:
    """Return (cells, measures) float64 centroids in [0, 1] of cells of about equal size.

    k-means (Lloyd 1982) over uniform samples, the first of which are the first centroids. A centroid that no sample is
    nearest to stays where it is.
    """
    from scipy.spatial import KDTree

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


def _regions(centroids: np.ndarray) -> list[np.ndarray]:
    """Corners of what is nearest to each centroid, within [0, 1] × [0, 1]."""
    if centroids.shape[1] == 1:
        order = np.argsort(centroids[:, 0])
        ordered = centroids[order, 0]
        edges = np.concatenate([[0.0], (ordered[1:] + ordered[:-1]) / 2, [1.0]])
        found: list[np.ndarray] = [np.empty(0)] * len(order)
        for index, cell in enumerate(order.tolist()):
            left, right = edges[index], edges[index + 1]
            found[cell] = np.array([[left, 0.0], [right, 0.0], [right, 1.0], [left, 1.0]])
        return found
    from scipy.spatial import Voronoi

    # Mirrored at the four sides, so that the regions of the centroids themselves end there.
    mirrored = [centroids]
    for axis in (0, 1):
        for side in (0.0, 1.0):
            image = centroids.copy()
            image[:, axis] = 2 * side - image[:, axis]
            mirrored.append(image)
    diagram = Voronoi(np.concatenate(mirrored))
    regions = [diagram.regions[diagram.point_region[cell]] for cell in range(len(centroids))]
    return [np.clip(diagram.vertices[region], 0.0, 1.0) for region in regions]
