"""A grid over named measures, which may be refined as the search goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from ..config import Model
from .axes import Axis, Objective
from .base import CellArchive, check_bins, ribs_archives

MOST_CELLS = 10_000_000


class Refinement(Model):
    """When to cut how fine: after this many finished evaluations into `bins` along every measure, or along each."""

    evaluations: Annotated[int, Field(ge=1)]
    bins: Annotated[int, Field(ge=1, le=1_000_000)] | list[Annotated[int, Field(ge=1, le=1_000_000)]]
    """Multiples of what was before; categories are never cut."""

    def of(self, axes: Sequence[Axis]) -> tuple[int, ...]:
        """Bins of each axis.

        Raises:
            ValueError: there are not as many as axes.
        """
        if isinstance(self.bins, int):
            return tuple(axis.bins if axis.categories else self.bins for axis in axes)
        if len(self.bins) != len(axes):
            raise ValueError(f"refine: expected {len(axes)} bins, one for each measure, got {self.bins}")
        return tuple(self.bins)


class GridArchive(CellArchive):
    """The best of every cell of a grid (MAP-Elites; Mouret & Clune 2015); `Axis` says which bin a value is in.

    A refinement cuts every bin into equal parts, so that each elite keeps a cell of its own and none is lost: the edges
    of the coarser bins are among those of the finer ones.

    Args:
        objective: what makes the best.
        axes: as they are before any refinement.
        outside: "drop" or "clip".
        refine: in the order of their times.

    Raises:
        ValueError: there are too many cells, or a refinement would lose elites.
    """

    binned = True
    categorical = True

    def __init__(
        self,
        objective: Objective,
        axes: Sequence[Axis],
        outside: str = "drop",
        refine: Sequence[Refinement] = (),
    ) -> None:
        super().__init__(objective, axes, outside)
        self._due = [(one.evaluations, one.of(self.axes)) for one in refine]
        _check_cells(self._bins)
        self._check_refinements()

    @property
    def _bins(self) -> tuple[int, ...]:
        return tuple(axis.bins for axis in self.axes)

    @property
    def cells(self) -> int:
        return math.prod(self._bins)

    @property
    def pyribs(self) -> Any:
        grid = ribs_archives().GridArchive(
            solution_dim=(),
            solution_dtype=np.int64,
            dims=self._bins,
            ranges=[(0.0, 1.0)] * len(self.axes),
            epsilon=0.0,
            qd_score_offset=self.objective.worst,
        )
        if len(self):
            shares = self.shares(self.elites.positions)
            strays = grid.index_of(shares) != self.elites.cells  # by rounding, beside an edge
            shares[strays] = self.middles()[strays]
            grid.add(self.elites.evaluations, self.objective.sign * self.elites.objectives, shares)
        return grid

    def position(self, cell: int) -> tuple[int, ...]:
        return tuple(int(index) for index in np.unravel_index(cell, self._bins))

    def middles(self) -> np.ndarray:
        cells = np.array(self.elites.cells, dtype=np.int64)
        return (np.stack(np.unravel_index(cells, self._bins), axis=1) + 0.5) / self._bins

    def corners(self) -> dict[int, np.ndarray] | None:
        places = np.stack(np.unravel_index(np.arange(self.cells), self._bins), axis=1)  # (C, M)
        low, high = places / self._bins, (places + 1) / self._bins
        if len(self.axes) == 1:
            low, high = np.pad(low, [(0, 0), (0, 1)]), np.pad(high, [(0, 0), (0, 1)], constant_values=1.0)
        (left, bottom), (right, top) = low.T, high.T
        shapes = np.stack([left, bottom, right, bottom, right, top, left, top], axis=1).reshape(-1, 4, 2)
        return dict(enumerate(shapes))

    def cells_of(self, positions: np.ndarray) -> np.ndarray:
        cells = np.zeros(len(positions), dtype=np.int64)
        for index, axis in enumerate(self.axes):
            cells = cells * axis.bins + axis.bins_of(positions[:, index])
        return cells

    def emptied(self) -> Self:
        return type(self)(self.objective, self.axes, "clip" if self.clips else "drop")

    @property
    def refines(self) -> bool:
        return bool(self._due)

    def refine_if_due(self, evaluations: int) -> tuple[int, ...] | None:
        refined = None
        while self._due and self._due[0][0] <= evaluations:
            refined = self._due[0][1]
            self.refine(refined)
        return refined

    def refine(self, bins: Sequence[int]) -> None:
        if tuple(bins) not in [finer for _, finer in self._due]:
            raise ValueError(f"bins of {list(bins)} are none of those that `refine` gives")
        self.axes = self._cut(bins)
        self._due = [(time, finer) for time, finer in self._due if finer > self._bins]
        self.elites.renumber(self.cells_of(self.elites.positions).tolist())

    def _check_refinements(self) -> None:
        before, time = self._bins, 0
        for evaluations, bins in self._due:
            _check_cells(bins)
            if evaluations <= time:
                raise ValueError(f"refine: evaluations must rise, got {evaluations} after {time}")
            if bins == before or any(new % old for new, old in zip(bins, before, strict=True)):
                raise ValueError(
                    f"refine: bins must be multiples of those before, so that no elite is lost, got {list(bins)} after"
                    f" {list(before)}"
                )
            for axis, new in zip(self.axes, bins, strict=True):
                if axis.categories and new != axis.bins:
                    raise ValueError(f"refine: the categories of {axis.metric} cannot be cut")
            check_bins(self._cut(bins))
            before, time = bins, evaluations

    def _cut(self, bins: Sequence[int]) -> tuple[Axis, ...]:
        return tuple(dataclasses.replace(axis, bins=number) for axis, number in zip(self.axes, bins, strict=True))


def _check_cells(bins: Sequence[int]) -> None:
    cells = math.prod(bins)
    if cells > MOST_CELLS:
        raise ValueError(f"at most {MOST_CELLS:,} cells, got {cells:,}: use fewer bins")
