"""Asynchronous halving by cell: candidates are evaluated with a part of the budget, and a share of them with more.

Successive halving without brackets (ASHA, Li et al., arXiv 1810.05934) under an archive: whenever a rung has η times as
many results as promotions, one of its results is promoted, from the top rung down. Which one, `promotion` says. No rung
waits for another, so any number of workers is kept busy by any emitter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from search_spaces import Metric

from ..archives import Archive, CellArchive
from ..config.models import RungsConfig
from ..store.resume import Proposal, RungResult
from .promotion import RULES, Rung, by_front, by_value

TOLERANCE = 1e-9
"""Ratios and sums of fidelities are rounded: 1/3 over 1/9 is a little more than 3."""
KEPT_IN_CELL = 4
KEPT_OVERALL = 64
"""Weights are kept of a rung's results that were not promoted: so many of the best of each cell, and of all."""


@dataclass(frozen=True)
class Entry:
    """A result that may still be promoted."""

    evaluation: int
    proposal: Proposal
    value: float
    """The objective, more is better."""
    position: np.ndarray
    """(M,) on the archive's axes."""


@dataclass
class _Level:
    fidelity: float
    target: float
    """The next fidelity."""
    results: int = 0
    promoted: int = 0
    left: dict[int, Entry] = field(default_factory=dict)
    """{evaluation: result}, but for what lies outside the archive."""
    gone: list[np.ndarray] = field(default_factory=list)
    """Positions of what was promoted."""

    @property
    def places(self) -> int:
        """How many may be promoted now."""
        return math.floor(self.results * self.fidelity / self.target + TOLERANCE) - self.promoted


@dataclass(frozen=True)
class Promotion:
    """A candidate to be evaluated at the next fidelity.

    Args:
        proposal: at that fidelity.
        source: its evaluation on the rung below; whose weights are there to go on from; else None.
        spent: the fidelity of that evaluation where there are weights, else 0.
    """

    proposal: Proposal
    source: int | None
    spent: float


class Rungs:
    """Results below the full budget, and who of them is promoted next.

    A candidate's cell follows from its measures on the rung: where a measure is known before training, that is the cell
    for good. What lies outside the archive counts as a result and is not promoted.

    Args:
        config: the rungs.
        archive: says which cell a result belongs to.
        metrics: {name: definition} of all metrics.
        rng: of what the rule draws.
    """

    def __init__(
        self, config: RungsConfig, archive: Archive, metrics: Mapping[str, Metric], rng: np.random.Generator
    ) -> None:
        self._levels = [_Level(low, high) for low, high in pairwise(config.fidelities)]
        self._continued, self._rule = config.continued, RULES[config.promote]
        self._archive, self._rng = archive, rng
        self._signs = np.array([1.0 if metrics[axis.metric].direction == "maximise" else -1.0 for axis in archive.axes])
        self._kept: set[int] = set()

    @property
    def lowest(self) -> float:
        """The fidelity that new proposals are evaluated at."""
        return self._levels[0].fidelity

    @property
    def kept(self) -> set[int]:
        """Evaluations whose weights a promotion may go on from."""
        return self._kept

    def add(self, fidelity: float, proposals: Sequence[Proposal], evaluations: Sequence[int], metrics: Any) -> None:
        """Take in results that are ok, of one fidelity.

        Args:
            fidelity: theirs; those of the full budget, or of none of the rungs, are left alone.
            proposals: N.
            evaluations: N ids.
            metrics: {name: (N,) float64} with the objective and the measures among them.
        """
        level = self._level(fidelity)
        if level is None:
            return
        level.results += len(proposals)
        values, positions = self._columns(metrics)
        usable = np.flatnonzero(np.isfinite(positions).all(axis=1))
        for row in usable[self._cells(positions[usable]) >= 0].tolist():
            entry = Entry(evaluations[row], proposals[row], float(values[row]), positions[row])
            level.left[entry.evaluation] = entry
            if self._continued:
                self._kept.add(entry.evaluation)

    def promote(
        self, size: int, left: float, holder: Callable[[bytes, float], int | None] = lambda key, fidelity: None
    ) -> list[Promotion]:
        """The next promotions, all to one fidelity, from the top rung down.

        Args:
            size: at most so many.
            left: trainings that they may cost at most.
            holder: the candidate by which an architecture, by its key, has been evaluated at a fidelity, or is being:
                another one of it stays where it is.
        """
        for level in reversed(self._levels):
            target, chosen = level.target, list[Promotion]()
            for entry in self._chosen(level, min(size, level.places), holder):
                source = entry.evaluation if entry.evaluation in self._kept else None
                spent = 0.0 if source is None else level.fidelity
                if target - spent > left + TOLERANCE:
                    break
                left -= target - spent
                self._take(level, entry)
                chosen.append(Promotion(replace(entry.proposal, fidelity=target), source, spent))
            if chosen:
                return chosen
        return []

    def forget(self, evaluations: Iterable[int]) -> None:
        """There are no weights of these."""
        self._kept.difference_update(evaluations)

    def forget_hopeless(self) -> None:
        """Keep no weights of those that many others are promoted before; should their turn come, they start anew."""
        for level in self._levels:
            entries = [level.left[id] for id in sorted(self._kept & level.left.keys())]
            if len(entries) <= KEPT_OVERALL:
                continue
            rung = self._rung(level, entries)
            rule = by_front if self._rule is by_front else by_value
            kept = set(rule(rung, KEPT_OVERALL, self._rng))
            better = Counter[int]()
            for row in by_value(rung, len(entries), self._rng):
                better[int(rung.cells[row])] += 1
                if better[int(rung.cells[row])] <= KEPT_IN_CELL:
                    kept.add(row)
            self._kept.difference_update(entries[row].evaluation for row in range(len(entries)) if row not in kept)

    def state(self) -> dict[str, Any]:
        """Plain data: what `restore` needs beside the log's rows."""
        return {"rng": self._rng.bit_generator.state, "kept": sorted(self._kept)}

    def restore(self, state: Mapping[str, Any], results: Iterable[RungResult]) -> None:
        """Go on where a log left off.

        Args:
            state: as `state` gave it.
            results: all that are ok below the full budget, in the order in which they were told.
        """
        for one in results:
            metrics = {name: np.array([value]) for name, value in one.metrics.items()}
            self.add(one.proposal.fidelity, [one.proposal], [one.evaluation], metrics)
            level = self._level(one.proposal.fidelity)
            if one.promoted and level is not None and one.evaluation in level.left:
                self._take(level, level.left[one.evaluation])
        self._rng.bit_generator.state = state["rng"]
        self._kept = set(state["kept"])

    def _level(self, fidelity: float) -> _Level | None:
        return next((level for level in self._levels if level.fidelity == fidelity), None)

    def _take(self, level: _Level, entry: Entry) -> None:
        level.promoted += 1
        level.gone.append(entry.position)
        del level.left[entry.evaluation]
        self._kept.discard(entry.evaluation)

    def _chosen(self, level: _Level, places: int, holder: Callable[[bytes, float], int | None]) -> list[Entry]:
        if places <= 0:
            return []
        entries = [entry for entry in level.left.values() if holder(entry.proposal.candidate.key, level.target) is None]
        if not entries:
            return []
        entries.sort(key=lambda entry: entry.evaluation)
        return [entries[row] for row in self._rule(self._rung(level, entries), places, self._rng)]

    def _rung(self, level: _Level, entries: Sequence[Entry]) -> Rung:
        """At least one entry, as a rule sees them."""
        positions = np.array([entry.position for entry in entries])
        gone = Counter(self._cells(np.array(level.gone)).tolist()) if level.gone else Counter[int]()
        values = np.array([entry.value for entry in entries])
        return Rung(values, self._cells(positions), self._signs * positions, gone)

    def _columns(self, metrics: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(N,) signed objectives, and (N, M) positions on the axes."""
        archive = self._archive
        positions = np.stack([axis.position(metrics[axis.metric]) for axis in archive.axes], axis=1)
        return archive.objective.sign * np.asarray(metrics[archive.objective.metric], np.float64), positions

    def _cells(self, positions: np.ndarray) -> np.ndarray:
        """(N, M) finite → (N,) int64; -1 outside the archive, and 0 where its cells are not there from the start."""
        if isinstance(self._archive, CellArchive):
            return self._archive.to_beat(positions)[0]
        return np.zeros(len(positions), dtype=np.int64)
