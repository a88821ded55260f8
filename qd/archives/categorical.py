"""A cell for every combination of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .axes import Axis, Objective
from .base import ribs_archives
from .grid import GridArchive


class CategoricalArchive(GridArchive):
    """The best of every combination of categories.

    Args:
        objective: what makes the best.
        axes: each has categories.
        outside: "drop" or "clip".

    Raises:
        ValueError: an axis has none.
    """

    def __init__(self, objective: Objective, axes: Sequence[Axis], outside: str = "drop") -> None:
        super().__init__(objective, axes, outside)
        if not all(axis.categories for axis in self.axes):
            raise ValueError("every measure of a categorical archive needs categories, e.g. [1, 2, 4]")

    @property
    def pyribs(self) -> Any:
        archive = ribs_archives().CategoricalArchive(
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
