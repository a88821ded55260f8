"""Archives under noise: the mean of a candidate's evaluations decides, not the luckiest of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .axes import Axis, Objective
from .elites import Elite, Elites, Insertion


class Cells(Protocol):
    """What an archive does for its averages."""

    objective: Objective
    axes: tuple[Axis, ...]
    elites: Elites

    def place(self, value: float, measures: np.ndarray) -> tuple[np.ndarray, int | None]:
        """Where a candidate with these means belongs: its position, and the cell or None."""
        ...

    def replace(
        self, cell: int, evaluation: int, candidate: int, value: float, position: np.ndarray, genotype: Any
    ) -> None:
        """Make this the elite of a cell."""
        ...

    def vacate(self, cell: int) -> None:
        """Empty a filled cell."""
        ...


@dataclass(slots=True)
class Average:
    """What is known of a candidate.

    Args:
        candidate: its id.
        evaluation: its first; the one that its weights belong to.
        genotype: plain data.
        sums: (1 + M,) float64, of the objective and the measures over its evaluations.
        count: how many there are.
        cell: where its means lie; None where that is outside.
        value: mean objective, in the metric's own unit.
        position: (M,) float64, its means on the axes.
    """

    candidate: int
    evaluation: int
    genotype: Any
    sums: np.ndarray
    count: int = 0
    cell: int | None = None
    value: float = 0.0
    position: np.ndarray | None = None


class Averages:
    """Keeps an archive so that every cell holds the candidate with the best mean, of all that were ever evaluated.

    A candidate that was thrown out comes back when those above it turn out to have been lucky. Of equal means the
    candidate that was evaluated first wins. The archive follows from the rows and their order alone, so it can be
    folded from a log.

    Args:
        archive: empty.
    """

    def __init__(self, archive: Cells) -> None:
        self._archive = archive
        self._names = [archive.objective.metric, *(axis.metric for axis in archive.axes)]
        self._known: dict[int, Average] = {}
        self._members: dict[int, list[Average]] = {}
        self.challenged: list[int] = []
        """Candidates whose cell changed hands, old elite and new; whoever evaluates them again clears it."""

    def __getitem__(self, candidate: int) -> Average:
        return self._known[candidate]

    def counts(self, candidates: Iterable[int]) -> list[int]:
        """How many evaluations each candidate has."""
        return [self._known[candidate].count for candidate in candidates]

    def set_genotypes(self, genotypes: Mapping[int, Any]) -> None:
        """Give all candidates their genotypes: a fold adds rows without them."""
        for candidate, average in self._known.items():
            average.genotype = genotypes[candidate]

    def add(
        self,
        evaluations: Sequence[int] | np.ndarray,
        candidates: Sequence[int] | np.ndarray,
        metrics: Mapping[str, np.ndarray],
        genotypes: Any,
    ) -> list[Insertion]:
        """Add evaluations, of new candidates or of known ones; arguments are those of `Archive.add`.

        Returns:
            Which cells changed hands from before the call to after it: `evaluation` is the new elite's first one, and
            so is `displaced` of the old.
        """
        values = np.stack([np.asarray(metrics[name], dtype=np.float64) for name in self._names], axis=1)
        before: dict[int, Elite | None] = {}
        for row, candidate in enumerate(int(id) for id in candidates):
            average = self._known.get(candidate)
            if average is None:
                average = Average(candidate, int(evaluations[row]), genotypes[row], np.zeros(len(self._names)))
                self._known[candidate] = average
            left = average.cell
            self._update(average, values[row])
            for cell in dict.fromkeys(cell for cell in (left, average.cell) if cell is not None):
                before.setdefault(cell, self._archive.elites.get(cell))
                self._settle(cell, average)
        changes = []
        for cell, old in before.items():
            new = self._archive.elites.get(cell)
            if new is not None and (old is None or new.candidate != old.candidate):
                changes.append(Insertion(new.evaluation, cell, old.evaluation if old else None))
                if old is not None:
                    self.challenged += [old.candidate, new.candidate]
        return changes

    def _update(self, average: Average, values: np.ndarray) -> None:
        average.sums += values
        average.count += 1
        means = average.sums / average.count
        average.value = float(means[0])
        average.position, cell = self._archive.place(average.value, means[1:])
        if cell == average.cell:
            return
        if average.cell is not None:
            self._members[average.cell].remove(average)
        if cell is not None:
            self._members.setdefault(cell, []).append(average)
        average.cell = cell

    def _settle(self, cell: int, changed: Average) -> None:
        """Let the best member of a cell be its elite, after one of them has changed or left."""
        archive, sign = self._archive, self._archive.objective.sign
        elite = archive.elites.get(cell)
        if elite is not None and elite.candidate != changed.candidate:
            if changed.cell != cell or self._rank(changed, sign) <= self._rank(self._known[elite.candidate], sign):
                return
            best = changed
        elif members := self._members.get(cell):
            best = max(members, key=lambda one: self._rank(one, sign))
        else:
            archive.vacate(cell)
            return
        assert best.position is not None
        archive.replace(cell, best.evaluation, best.candidate, best.value, best.position, best.genotype)

    def _rank(self, average: Average, sign: float) -> tuple[float, int]:
        return sign * average.value, -average.evaluation
