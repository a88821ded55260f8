"""What was spent on which rung, and whose weights trainings began with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..store.reader import LogReader  # the commands' help should not wait for numpy

IN_SEARCH = "e.purpose IN ('search', 'reevaluation')"


@dataclass(frozen=True)
class RungCount:
    """Evaluations of one fidelity.

    Args:
        fidelity: share of the full budget, in (0, 1].
        evaluations: finished, whatever their status.
        ok: those with metrics.
        promoted: of these, candidates that were asked for on a higher rung.
    """

    fidelity: float
    evaluations: int
    ok: int
    promoted: int

    def __str__(self) -> str:
        return f"{self.evaluations:,} at {share(self.fidelity)}" + (
            f" ({self.promoted:,} promoted)" if self.fidelity < 1 else ""
        )


def rung_counts(run: LogReader) -> list[RungCount]:
    """One row for each rung of the run file, the lowest first; none where it has no rungs."""
    rungs = run.config.search.rungs
    if rungs is None:
        return []
    counts = {
        fidelity: (evaluations, ok)
        for fidelity, evaluations, ok in run.query(
            "SELECT e.fidelity, COUNT(*), TOTAL(_status = 0) FROM evaluations e JOIN results ON _evaluation = e.id"
            " WHERE e.purpose = 'search' GROUP BY e.fidelity"
        )
    }
    promoted = dict(
        run.query(
            "SELECT low.fidelity, COUNT(DISTINCT low.candidate) FROM evaluations low JOIN evaluations high"
            " ON high.candidate = low.candidate AND high.fidelity > low.fidelity"
            " WHERE low.purpose = 'search' AND high.purpose = 'search' GROUP BY low.fidelity"
        )
    )
    found = []
    for fidelity in rungs.fidelities:
        evaluations, ok = counts.get(fidelity, (0, 0))
        found.append(RungCount(fidelity, evaluations, int(ok), promoted.get(fidelity, 0)))
    return found


def trainings(run: LogReader) -> float:
    """Full budgets that the finished evaluations of the search cost."""
    if run.accepted_only:
        return float(run.count)
    spent = "COALESCE(s.spent, 0)" if run.has_table("starts") else "0"
    joined = "LEFT JOIN starts s ON s.evaluation = e.id" if run.has_table("starts") else ""
    rows = run.query(
        f"SELECT TOTAL(e.fidelity - {spent}) FROM evaluations e JOIN results ON _evaluation = e.id {joined}"
        f" WHERE {IN_SEARCH}"
    )
    return rows[0][0]


def start_of(run: LogReader, evaluation: int) -> tuple[int, float] | None:
    """The evaluation whose weights another began with, and for how much of the budget they had been trained by it.

    That is 0 where they are another network's; None: it began with fresh ones.
    """
    if not run.has_table("starts"):
        return None
    rows = run.query("SELECT source, spent FROM starts WHERE evaluation = ?", [evaluation])
    return rows[0] if rows else None


def inherited_from(run: LogReader, evaluations: Iterable[int]) -> dict[int, int]:
    """{evaluation: the candidate, a parent, whose weights its network began with}; those that began anew are left out.

    A network that went on from its own weights began where these did.
    """
    if not run.has_table("starts"):
        return {}
    starts = {evaluation: (source, spent) for evaluation, source, spent in run.query("SELECT * FROM starts")}
    ends: dict[int, int] = {}
    for evaluation in evaluations:
        at = int(evaluation)
        while at in starts and starts[at][1]:
            at = starts[at][0]
        if at in starts:
            ends[int(evaluation)] = starts[at][0]
    if not ends:
        return {}
    marks = ",".join(map(str, sorted(set(ends.values()))))
    candidates = dict(run.query(f"SELECT id, candidate FROM evaluations WHERE id IN ({marks})"))
    return {evaluation: candidates[source] for evaluation, source in ends.items()}


def share(fidelity: float) -> str:
    """1/9 for 0.111…, as people write it; else the number."""
    over = round(1 / fidelity)
    return (f"1/{over}" if over > 1 else "1") if abs(over * fidelity - 1) < 1e-9 else f"{fidelity:.3g}"
