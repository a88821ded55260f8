"""What all archives have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from search_spaces import Genotypes

from ..config import LARGEST
from ..display import Displayed
from ..errors import UsageError
from .averages import Averages
from .axes import Axis, Objective
from .elites import Elite, Elites, Insertion


class Archive(Displayed, ABC):
    """The best evaluation of every cell over named measures; an objective beyond ±1e300 counts as none.

    A fold over results: the same rows in the same order give the same archive, however they were cut into calls. An
    equal objective does not displace an elite. Nothing is drawn at random but by the generator of `draw`.

    The engine gives `objective`, `axes` and `outside` by their names; a kind's other arguments are its keys in the run
    file. A kind whose cells are there from the start derives from `CellArchive` and gives `cells`, `cells_of` and
    `emptied`; another gives `_contenders` instead of `cells_of`. Axes are scaled alike: `positions` are on the axes, as
    `Axis.position` gives them, and shares of the axes are in [0, 1].

    Args:
        objective: what makes the best.
        axes: one for each measure.
        outside: what becomes of results beyond the axes: "drop" or "clip".

    Raises:
        ValueError: an axis has categories that this kind cannot have, or more bins than numbers.
    """

    binned: ClassVar[bool] = False
    """Whether the axes' bins make the cells, so that `position` gives a bin on each axis."""
    categorical: ClassVar[bool] = False
    """Whether axes may have categories."""
    fixed: bool = False
    """Whether the cells are there from the start: where a result belongs does not depend on the others."""
    unknown: str = ""
    """Why nobody can say where its cells lie, and what to do about it; empty where the archive says it."""
    averages: Averages | None = None
    """Set by `average`."""

    def __init__(self, objective: Objective, axes: Sequence[Axis], outside: str = "drop") -> None:
        if not self.categorical and any(axis.categories for axis in axes):
            raise ValueError("measures: categories need kind: grid or categorical")
        check_bins(axes)
        self.objective = objective
        self.axes = tuple(axes)
        self.clips = outside == "clip"
        self.outside = 0
        """Results whose measures lay outside the ranges, or were NaN; only the former are clipped, if at all."""
        self.elites = Elites(len(self.axes))
        self.qd_score = 0.0
        """Sum over elites of the objective's distance from its worst value; at least 0 within the objective's range."""
        self._best: tuple[float, int, int] | None = None  # signed objective, negated evaluation, slot
        self._low, self._high = np.array([axis.bounds() for axis in self.axes]).T

    def __len__(self) -> int:
        return len(self.elites)

    def __repr__(self) -> str:
        axes = " × ".join(f"{axis.metric} ({axis.bins})" if self.binned else axis.metric for axis in self.axes)
        best = f", best {self.objective.metric} {self.best.objective:.4g}" if self.best else ""
        return f"{type(self).__name__}({axes}: {len(self)} of {self.cells} cells{best})"

    @property
    @abstractmethod
    def cells(self) -> int:
        """How many there are, filled or not."""

    @property
    def pyribs(self) -> Any:
        """A copy as pyribs has it, for its tools: solutions are evaluation ids, the objective maximises.

        Raises:
            UsageError: pyribs has no such archive.
        """
        raise UsageError(f"pyribs: there is none of its archives that a {type(self).__name__} could be copied to")

    def position(self, cell: int) -> tuple[int, ...]:
        """What people call the cell: the bin on each axis, or its number."""
        return (cell,)

    def recorded(self) -> dict[str, Any]:
        """What a log must keep to make the empty archive again, beside the run file: plain data."""
        return {}

    def restore(self, recorded: Mapping[str, Any]) -> None:
        """Take what `recorded` gave when the run began; nothing was added yet."""

    def middles(self) -> np.ndarray:
        """(L, M) shares of the axes: a point inside the cell of each elite, where marks of pictures are."""
        return self.shares(self.elites.positions)

    def corners(self) -> dict[int, np.ndarray] | None:
        """{cell: (V, 2) shares of the axes} of all cells of an archive of one or two measures; None without bounds.

        An archive of one measure lies between 0 and 1 in the second direction.
        """
        return None

    @property
    def occupied(self) -> Sequence[int]:
        """Cells that hold an elite, in the order in which they were first filled."""
        return self.elites.cells

    @property
    def best(self) -> Elite | None:
        """The elite with the best objective; of equals, the earliest evaluation."""
        return None if self._best is None else self.elites[self.elites.cells[self._best[2]]]

    @property
    def coverage(self) -> float:
        """Share of the cells that are filled, in [0, 1]."""
        return len(self) / self.cells if self.cells else 0.0

    @property
    def normalised_qd_score(self) -> float:
        """QD score as a share of a full archive of perfect elites, in [0, 1] within the objective's range."""
        span = (self.objective.high - self.objective.low) * self.cells
        return self.qd_score / span if span else 0.0

    def scaled(self, metrics: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, M) float64, where results lie between the ends of each axis: 0 to 1 inside, NaN where there is none."""
        return self.shares(np.stack([axis.position(metrics[axis.metric]) for axis in self.axes], axis=1))

    def shares(self, positions: np.ndarray) -> np.ndarray:
        """(N, M) positions → (N, M) shares of the axes: 0 to 1 inside, whatever their scale."""
        return np.stack([axis.shares(positions[:, index]) for index, axis in enumerate(self.axes)], axis=1)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n,) slots of elites, drawn uniformly with replacement: what parents are drawn from."""
        return rng.integers(len(self), size=n)

    def set_genotypes(self, genotypes: Mapping[int, Any]) -> None:
        """Give elites their genotypes, by candidate: a fold adds rows without them."""
        self.elites.set_genotypes([genotypes[candidate] for candidate in self.elites.candidates.tolist()])

    @abstractmethod
    def emptied(self) -> Self:
        """An empty archive of the same objective, axes and cells, which will not be refined."""

    @property
    def refines(self) -> bool:
        """Whether refinements are still to come."""
        return False

    def refine(self, bins: Sequence[int]) -> None:
        """Cut the axes into so many bins; only where `refines`."""
        raise NotImplementedError

    def average(self) -> None:
        """From now on the mean of a candidate's evaluations decides; call it on an empty archive.

        Raises:
            ValueError: its cells do not stay what they are.
        """
        raise ValueError("needs an archive whose cells stay what they are")

    def with_cells(self) -> CellArchive:
        """This archive, as one whose cells other runs can share.

        Raises:
            UsageError: its cells depend on what was found, or only a plug-in knows them.
        """
        raise UsageError("the archive has no cells that runs could share")

    def refine_if_due(self, evaluations: int) -> tuple[int, ...] | None:
        """Cut the axes finer where it is time, after this many evaluations; returns their new bins, or None."""
        return None

    def add(
        self,
        evaluations: Sequence[int] | np.ndarray,
        candidates: Sequence[int] | np.ndarray,
        metrics: Mapping[str, np.ndarray],
        genotypes: Genotypes,
    ) -> list[Insertion]:
        """Add results one after the other.

        Args:
            evaluations: N ids.
            candidates: N ids.
            metrics: {name: (N,) float64} with the objective and the measures among them.
            genotypes: N of them, kept for elites.

        Returns:
            What entered, in the order of the rows.
        """
        if not len(evaluations):
            return []
        values = np.asarray(metrics[self.objective.metric], dtype=np.float64)
        positions = np.stack([axis.position(metrics[axis.metric]) for axis in self.axes], axis=1)
        inside = ((positions >= self._low) & (positions <= self._high)).all(axis=1)
        usable = (np.abs(values) <= LARGEST) & ~np.isnan(positions).any(axis=1)
        self.outside += int((~inside).sum())
        rows = np.flatnonzero(usable if self.clips else usable & inside)
        if not rows.size:
            return []
        positions = np.clip(positions, self._low, self._high)
        insertions: list[Insertion] = []
        sign, elites = self.objective.sign, self.elites
        for row, cell in self._contenders(rows, sign * values, positions):
            evaluation, value = int(evaluations[row]), float(values[row])
            slot = elites.slot(cell)
            displaced, before = None, self.objective.worst
            if slot is not None:
                displaced, objective = elites.row(slot)
                before = sign * objective
                if sign * value <= before:
                    continue
            slot = elites.put(cell, evaluation, int(candidates[row]), value, positions[row], genotypes[row])
            self.qd_score += sign * value - before
            if self._best is None or (sign * value, -evaluation) > self._best[:2]:
                self._best = (sign * value, -evaluation, slot)
            insertions.append(Insertion(evaluation, cell, displaced))
        return insertions

    @abstractmethod
    def _contenders(self, rows: np.ndarray, values: np.ndarray, positions: np.ndarray) -> Iterable[tuple[int, int]]:
        """Yield those of the rows that may become an elite, in their order, each with its cell.

        What was yielded before has been dealt with, when the next is asked for.

        Args:
            rows: (R,) int64, which rows of the columns may enter.
            values: (N,) float64, more is better.
            positions: (N, M) float64, within the bounds.
        """

    def _put(
        self, cell: int, evaluation: int, candidate: int, value: float, position: np.ndarray, genotype: Any
    ) -> None:
        """Make this the elite of a cell, whatever was there; `_find_best` is to be called afterwards."""
        sign, slot = self.objective.sign, self.elites.slot(cell)
        before = self.objective.worst if slot is None else sign * self.elites.row(slot)[1]
        self.elites.put(cell, evaluation, candidate, value, position, genotype)
        self.qd_score += sign * value - before

    def _find_best(self) -> None:
        signed = self.objective.sign * self.elites.objectives
        self._best = None
        if len(signed):
            slots = np.flatnonzero(signed == signed.max())
            slot = int(slots[self.elites.evaluations[slots].argmin()])
            self._best = (float(signed[slot]), -int(self.elites.evaluations[slot]), slot)


def check_bins(axes: Sequence[Axis]) -> None:
    """Raise `ValueError` where an axis has bins that no number could lie in."""
    for axis in axes:
        if axis.too_fine:
            raise ValueError(
                f"measures: there are fewer numbers from {axis.low!r} to {axis.high!r} than the {axis.bins} bins of"
                f" {axis.metric}: use fewer bins, or set low and high further apart"
            )


class CellArchive(Archive):
    """An archive whose cells are there from the start: where a result belongs does not depend on the others."""

    fixed = True

    @abstractmethod
    def cells_of(self, positions: np.ndarray) -> np.ndarray:
        """(N, M) positions within the bounds → (N,) int64 cells."""

    def to_beat(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a result would have to surpass.

        Args:
            positions: (N, M) float64, on the axes; finite.

        Returns:
            (N,) int64 cells, -1 where a result is not inserted; and (N,) float64, the signed objective of their elites:
            the worst value where a cell is empty, infinity where a result is not inserted.
        """
        inside = ((positions >= self._low) & (positions <= self._high)).all(axis=1)
        cells = self.cells_of(np.clip(positions, self._low, self._high))
        slots = self.elites.slots(cells)
        values = np.full(len(cells), self.objective.worst, dtype=np.float64)
        filled = slots >= 0
        values[filled] = self.objective.sign * self.elites.objectives[slots[filled]]
        if not self.clips:
            cells, values = np.where(inside, cells, -1), np.where(inside, values, np.inf)
        return cells, values

    def with_cells(self) -> CellArchive:
        return self

    def average(self) -> None:
        if self.refines:
            super().average()
        self.averages = Averages(self)

    def add(
        self,
        evaluations: Sequence[int] | np.ndarray,
        candidates: Sequence[int] | np.ndarray,
        metrics: Mapping[str, np.ndarray],
        genotypes: Genotypes,
    ) -> list[Insertion]:
        if self.averages is not None and len(evaluations):
            return self.averages.add(evaluations, candidates, metrics, genotypes)
        return super().add(evaluations, candidates, metrics, genotypes)

    def place(self, value: float, measures: np.ndarray) -> tuple[np.ndarray, int | None]:
        """Where a candidate belongs, and what is outside is counted as such.

        Args:
            value: of the objective.
            measures: (M,) float64, in the metrics' own units.

        Returns:
            The position on the axes, within the bounds, and the cell; None where it is not to be inserted.
        """
        position = np.array([float(axis.position(measures[[i]])[0]) for i, axis in enumerate(self.axes)])
        inside = bool(((position >= self._low) & (position <= self._high)).all())
        self.outside += not inside
        usable = abs(value) <= LARGEST and not np.isnan(position).any()
        position = np.clip(position, self._low, self._high)
        if not usable or not (inside or self.clips):
            return position, None
        return position, int(self.cells_of(position[None])[0])

    def replace(
        self, cell: int, evaluation: int, candidate: int, value: float, position: np.ndarray, genotype: Any
    ) -> None:
        """Make this the elite of a cell, be it better than the one before or not."""
        self._put(cell, evaluation, candidate, value, position, genotype)
        self._find_best()

    def vacate(self, cell: int) -> None:
        """Empty a filled cell."""
        slot = self.elites.slot(cell)
        assert slot is not None
        self.qd_score -= self.objective.sign * self.elites.row(slot)[1] - self.objective.worst
        self.elites.remove(cell)
        self._find_best()

    def _contenders(self, rows: np.ndarray, values: np.ndarray, positions: np.ndarray) -> Iterable[tuple[int, int]]:
        cells = self.cells_of(positions[rows])
        slots = self.elites.slots(cells)
        filled = slots >= 0
        to_beat = np.full(len(rows), -np.inf)
        to_beat[filled] = self.objective.sign * self.elites.objectives[slots[filled]]
        for index in np.flatnonzero(values[rows] > to_beat).tolist():
            yield int(rows[index]), int(cells[index])


def ribs_archives() -> ModuleType:
    """Load `ribs.archives`, and with it torch, scikit-learn and numba: an archive of ours needs none of them."""
    from ..compiled import give_the_cache_a_place

    give_the_cache_a_place()
    import ribs.archives

    return ribs.archives
