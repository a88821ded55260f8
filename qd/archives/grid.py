"""A grid over named measures, which may be refined as the search goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import ribs.archives

from .axes import Axis, Objective
from .base import CellArchive

EPSILON = 1e-6
"""pyribs' own: what lies this share of a bin below an edge belongs above it."""


class Refinement(NamedTuple):
    """When to cut how fine."""

    evaluations: int
    """After this many finished evaluations."""
    bins: tuple[int, ...]
    """Of each axis; multiples of what was before."""


class GridArchive(CellArchive):
    """The best of every cell of a grid (MAP-Elites; Mouret & Clune 2015). The upper bound belongs to the last bin.

    A refinement cuts every bin into equal parts, so that each elite keeps a cell of its own and none is lost. Where a
    value lies is found from the coarsest grid to the finest: rounding at an edge never carries it into another coarse
    bin than the one that it was in.

    Args:
        objective: what makes the best.
        axes: as they are before any refinement.
        outside: "drop" or "clip".
        refinements: in the order of their times.
    """

    kind = "grid"
    binned = True

    def __init__(
        self,
        objective: Objective,
        axes: Sequence[Axis],
        outside: str = "drop",
        refinements: Sequence[Refinement] = (),
    ) -> None:
        super().__init__(objective, axes, outside)
        self._levels = [np.array(self._bins)]
        self._due = list(refinements)

    @property
    def _bins(self) -> tuple[int, ...]:
        return tuple(axis.bins for axis in self.axes)

    @property
    def cells(self) -> int:
        return math.prod(self._bins)

    @property
    def pyribs(self) -> Any:
        grid = ribs.archives.GridArchive(
            solution_dim=(),
            solution_dtype=np.int64,
            dims=self._bins,
            ranges=[axis.bounds() for axis in self.axes],
            qd_score_offset=self.objective.worst,
        )
        if len(self):
            grid.add(self.elites.evaluations, self.objective.sign * self.elites.objectives, self.elites.positions)
        return grid

    def position(self, cell: int) -> tuple[int, ...]:
        return tuple(int(index) for index in np.unravel_index(cell, self._bins))

    def cells_of(self, positions: np.ndarray) -> np.ndarray:
        coarse = self._bins_at(self._levels[0], positions)
        for before, after in zip(self._levels, self._levels[1:], strict=False):
            parts = after // before
            coarse = np.clip(self._bins_at(after, positions), coarse * parts, coarse * parts + parts - 1)
        return coarse @ self._strides()

    def emptied(self) -> Self:
        return type(self)(self.objective, self.axes, "clip" if self.clips else "drop")

    @property
    def refines(self) -> bool:
        """Whether refinements are still to come."""
        return bool(self._due)

    def refine_if_due(self, evaluations: int) -> tuple[int, ...] | None:
        refined = None
        while self._due and self._due[0].evaluations <= evaluations:
            refined = self._due[0].bins
            self.refine(refined)
        return refined

    def refine(self, bins: Sequence[int]) -> None:
        """Cut the axes into this many bins, multiples of what they have; elites move to their finer cells."""
        self.axes = tuple(dataclasses.replace(axis, bins=number) for axis, number in zip(self.axes, bins, strict=True))
        self._levels.append(np.array(self._bins))
        self._due = [one for one in self._due if one.bins > self._bins]
        self.elites.renumber(self.cells_of(self.elites.positions).tolist())

    def _bins_at(self, level: np.ndarray, positions: np.ndarray) -> np.ndarray:
        bins = (level * (positions - self._low) + EPSILON) / (self._high - self._low)
        return np.clip(bins.astype(np.int64), 0, level - 1)

    def _strides(self) -> np.ndarray:
        bins = self._levels[-1]
        return np.append(np.cumprod(bins[:0:-1])[::-1], 1)


class CategoricalArchive(GridArchive):
    """The best of every combination of categories: each axis has them."""

    kind = "categorical"

    @property
    def pyribs(self) -> Any:
        archive = ribs.archives.CategoricalArchive(
            solution_dim=(),
            solution_dtype=np.int64,
            categories=[list(axis.categories) for axis in self.axes],
            qd_score_offset=self.objective.worst,
        )
        if len(self):
            numbers = self.elites.positions.astype(np.int64)
            named = [[axis.categories[n] for axis, n in zip(self.axes, row, strict=True)] for row in numbers]
            archive.add(self.elites.evaluations, self.objective.sign * self.elites.objectives, named)
        return archive
