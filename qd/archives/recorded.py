"""An archive as its log tells of it, of a kind whose code is not at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

import numpy as np

from search_spaces import Genotypes

from ..errors import UsageError
from .axes import Axis, Objective
from .base import Archive, CellArchive, Insertion


class RecordedArchive(Archive):
    """Elites, cells and coverage of a run whose kind of archive is a plug-in that is not given.

    What entered, and into which cell, stands in the log. Where the cells lie, and where another result would belong,
    only the plug-in knows.

    Args:
        objective: what made the best.
        axes: one for each measure.
        outside: "drop" or "clip".
        entered: takes evaluations, gives {evaluation: cell} of those that entered.
        cells: how many there are; None where there are as many as elites.
        kind: what the run file calls it.
    """

    categorical = True

    def __init__(
        self,
        objective: Objective,
        axes: Sequence[Axis],
        outside: str,
        entered: Callable[[Sequence[int] | np.ndarray], Mapping[int, int]],
        cells: int | None,
        kind: str,
    ) -> None:
        super().__init__(objective, axes, outside)
        self.fixed = cells is not None
        self.unknown = f"only {kind} knows its cells; give this plug-in's folder (`plugins`), or install its package"
        self._entered, self._cells, self._kind = entered, cells, kind

    @property
    def cells(self) -> int:
        return len(self) if self._cells is None else self._cells

    def emptied(self) -> Self:
        outside = "clip" if self.clips else "drop"
        return type(self)(self.objective, self.axes, outside, self._entered, self._cells, self._kind)

    def with_cells(self) -> CellArchive:
        raise UsageError(self.unknown)

    def average(self) -> None:
        raise UsageError(f"means of several evaluations decide who is in its archive, and {self.unknown}")

    def _contenders(self, rows: np.ndarray, values: np.ndarray, positions: np.ndarray) -> Iterable[tuple[int, int]]:
        raise AssertionError("the log says what entered")

    def add(
        self,
        evaluations: Sequence[int] | np.ndarray,
        candidates: Sequence[int] | np.ndarray,
        metrics: Mapping[str, np.ndarray],
        genotypes: Genotypes,
    ) -> list[Insertion]:
        if not len(evaluations):
            return []
        values = np.asarray(metrics[self.objective.metric], dtype=np.float64)
        positions = np.stack([axis.position(metrics[axis.metric]) for axis in self.axes], axis=1)
        self.outside += int((~((positions >= self._low) & (positions <= self._high)).all(axis=1)).sum())
        positions = np.clip(positions, self._low, self._high)
        entered = self._entered(evaluations)
        insertions = []
        for row, evaluation in enumerate(map(int, evaluations)):
            cell = entered.get(evaluation)
            if cell is not None:
                displaced = self.elites.get(cell)
                self._put(cell, evaluation, int(candidates[row]), float(values[row]), positions[row], genotypes[row])
                insertions.append(Insertion(evaluation, cell, displaced.evaluation if displaced else None))
        if insertions:
            self._find_best()
        return insertions
