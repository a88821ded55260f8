"""How much of a map is luck: its elites beside what they reach with fresh seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas

from ..archives import Archive
from ..candidates import Purpose
from ..wording import tested
from .run import Run
from .rungs import inherited_from
from .spread import Spread, verified
from .statistics import rank_correlation


@dataclass(frozen=True)
class Verification:
    """Elites of a run beside what they reach with fresh seeds.

    Args:
        run: whose elites they are.
        spreads: {candidate: {metric: spread}}, of these elites and perhaps of others.
        elites: a row for each elite that was verified, best mean first: id, evaluation, cell, objective (the archive's
            value), mean, spread (standard deviation, NaN for a single seed), least, most, seeds (how many gave an
            answer), failed (how many gave none) and drop (how much worse the mean is than the archive's value).
    """

    run: Run
    spreads: Mapping[int, Mapping[str, Spread]]
    elites: pandas.DataFrame

    @cached_property
    def verified_archive(self) -> Archive:
        """The same elites at the means of their objective and of their measures.

        This is the corrected archive of Flageat and Cully (Uncertain Quality-Diversity, arXiv 2302.00463). Who gave no
        answer with any seed is not in it.
        """
        means = {id: {name: spread.mean for name, spread in found.items()} for id, found in self.spreads.items()}
        return self._fold([row for row in self.elites.to_dict("records") if row["seeds"]], means)

    @cached_property
    def before(self) -> Archive:
        """The archive with these elites alone, as the search saw them."""
        logged = {row["id"]: row for row in self.run.elites().to_dict("records")}
        return self._fold(self.elites.to_dict("records"), logged)

    def summary(self) -> dict[str, Any]:
        """What `qd verify` says of the map."""
        objective, rows = self.run.archive.objective, self.elites.to_dict("records")
        answered = [row for row in rows if row["seeds"]]
        values = {name: np.array([row[name] for row in answered]) for name in ("objective", "mean", "drop")}
        ranks = [_ranks(-objective.sign * values[name]) for name in ("objective", "mean")]
        holders = {cell: elite.candidate for cell, elite in self.verified_archive.elites.items()}
        kept = [holders.get(cell) == elite.candidate for cell, elite in self.before.elites.items()]
        return {
            "run": self.run.folder.name,
            "objective": objective.metric,
            "verified_objective": tested(objective.metric),
            "elites_verified": len(rows),
            "elites": len(self.run.archive),
            "seeds": max(row["seeds"] for row in rows),
            "failed": sum(row["failed"] for row in rows),
            "archive": _numbers(self.before),
            "verified_archive": _numbers(self.verified_archive),
            "mean_drop": _number(values["drop"].mean()) if answered else None,
            **self._inherited(answered),
            "cells_kept": float(np.mean(kept)),
            "ranks_kept": float(np.mean(ranks[0] == ranks[1])) if answered else None,
            "rank_correlation": rank_correlation(values["objective"], values["mean"]),
        }

    def _inherited(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Where weights are inherited: the drop of elites that began with a parent's, and that of the others.

        Verification trains from scratch: the difference of the two is what inheriting adds to a map.
        """
        if not self.run.inherits:
            return {}
        parents = inherited_from(self.run, [row["evaluation"] for row in rows])
        found: dict[str, Any] = {"inherited": len(parents)}
        for name, wanted in (("mean_drop_inherited", True), ("mean_drop_from_scratch", False)):
            drops = [row["drop"] for row in rows if (row["evaluation"] in parents) is wanted]
            found[name] = _number(float(np.mean(drops))) if drops else None
        return found

    def records(self) -> list[dict[str, Any]]:
        """The rows of `elites` as plain data."""
        names = ["objective", "mean", "spread", "least", "most", "drop"]
        return [
            {
                "id": row["id"],
                "evaluation": row["evaluation"],
                "cell": list(row["cell"]),
                **{name: _number(row[name]) for name in names},
                "seeds": row["seeds"],
                "failed": row["failed"],
            }
            for row in self.elites.to_dict("records")
        ]

    def _fold(self, rows: Sequence[Mapping[str, Any]], metrics: Mapping[int, Mapping[str, float]]) -> Archive:
        archive = self.run.archive.emptied()
        names = {archive.objective.metric, *(axis.metric for axis in archive.axes)}
        rows = sorted(rows, key=lambda row: row["evaluation"])
        ids = [row["id"] for row in rows]
        columns = {name: np.array([metrics[id][name] for id in ids], dtype=np.float64) for name in names}
        archive.add([row["evaluation"] for row in rows], ids, columns, [None] * len(rows))
        return archive


def verification(run: Run) -> Verification | None:
    """Read what is known of the run's present elites; None where none of them was verified."""
    archive = run.archive
    cells = {elite.candidate: cell for cell, elite in archive.elites.items()}
    failed = dict(
        run.query(
            "SELECT e.candidate, SUM(_status > 0) FROM results JOIN evaluations e ON e.id = _evaluation"
            " WHERE e.purpose = ? GROUP BY e.candidate",
            [Purpose.VERIFICATION.value],
        )
    )
    found = [id for id in cells if id in failed]
    if not found:
        return None
    objective, spreads = archive.objective, verified(run)
    silent = Spread(math.nan, math.nan, math.nan, math.nan, 0)
    table = []
    for id in found:
        elite, spread = archive.elites[cells[id]], spreads[id][objective.metric] if id in spreads else silent
        table.append(
            {
                "id": id,
                "evaluation": elite.evaluation,
                "cell": archive.position(cells[id]),
                "objective": elite.objective,
                "mean": spread.mean,
                "spread": spread.deviation,
                "least": spread.least,
                "most": spread.most,
                "drop": objective.sign * (elite.objective - spread.mean),
                "seeds": spread.seeds,
                "failed": failed[id],
            }
        )
    table.sort(key=lambda row: (row["seeds"] == 0, -objective.sign * row["mean"] if row["seeds"] else 0.0, row["id"]))
    return Verification(run, spreads, pandas.DataFrame(table))


def _numbers(archive: Archive) -> dict[str, float | int]:
    return {
        "elites": len(archive),
        "coverage": archive.coverage,
        "qd_score": archive.qd_score,
        "normalised_qd_score": archive.normalised_qd_score,
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    """(N,) how many are less: tied values share a rank."""
    return np.searchsorted(np.sort(values), values)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
