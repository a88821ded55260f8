"""An archive without cells of its own: what is unlike all others founds a new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from .axes import Axis, Objective
from .base import Archive, ribs_archives


class UnstructuredArchive(Archive):
    """Elites at a distance from each other (Cully & Demiris 2018; pyribs' `ProximityArchive`).

    A result whose mean distance to its nearest elites is at least the threshold founds a cell; another competes with
    the nearest elite, in whose place it steps where it is better. Distances are Euclidean, all axes scaled to [0, 1].
    There are as many cells as elites, so a filled archive's coverage is always 1.

    Unlike pyribs, rows are dealt with one after the other, so that the archive does not depend on batches.

    Args:
        objective: what makes the best.
        axes: their bins do not matter here; they serve where the elites are looked at on a grid.
        novelty: the threshold, above 0.
        neighbours: how many of the nearest elites count.
        outside: "drop" or "clip".
    """

    def __init__(
        self,
        objective: Objective,
        axes: Sequence[Axis],
        novelty: Annotated[float, Field(gt=0)],
        neighbours: Annotated[int, Field(ge=1, le=1_000_000)] = 1,
        outside: str = "drop",
    ) -> None:
        super().__init__(objective, axes, outside)
        self.novelty = novelty
        self.neighbours = neighbours

    @property
    def cells(self) -> int:
        return len(self)

    @property
    def pyribs(self) -> Any:
        archive = ribs_archives().ProximityArchive(
            solution_dim=(),
            solution_dtype=np.int64,
            measure_dim=len(self.axes),
            k_neighbors=self.neighbours,
            novelty_threshold=self.novelty,
            local_competition=True,
            qd_score_offset=self.objective.worst,
        )
        if len(self):  # into an empty one, all of a batch enter
            shares = self.shares(self.elites.positions)
            archive.add(self.elites.evaluations, self.objective.sign * self.elites.objectives, shares)
        return archive

    def emptied(self) -> Self:
        outside = "clip" if self.clips else "drop"
        return type(self)(self.objective, self.axes, self.novelty, self.neighbours, outside)

    def _contenders(self, rows: np.ndarray, values: np.ndarray, positions: np.ndarray) -> Iterable[tuple[int, int]]:
        for row in rows.tolist():
            distances = np.linalg.norm((self.elites.positions - positions[row]) / (self._high - self._low), axis=1)
            nearest = np.sort(distances)[: self.neighbours]
            if not len(distances) or nearest.mean() >= self.novelty:
                yield row, len(self)
            else:
                yield row, int(distances.argmin())
