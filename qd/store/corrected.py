"""How much of a map is luck: its elites beside what they reach with fresh seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas
from scipy.stats import rankdata, spearmanr

from ..archives import GridArchive, make_archive
from ..candidates import Purpose
from .run import Run
from .verified import Spread, verified


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
    def corrected(self) -> GridArchive:
        """The same elites at the means of their objective and of their measures.

        This is the corrected archive of Flageat and Cully (Uncertain Quality-Diversity, arXiv 2302.00463). Who gave no
        answer with any seed is not in it.
        """
        answered = self.elites[self.elites["seeds"] > 0].sort_values("id")
        return self._fold(answered, lambda row, name: self.spreads[row["id"]][name].mean)

    @cached_property
    def before(self) -> GridArchive:
        """The archive with these elites alone, as the search saw them."""
        names = list(self.run.metrics)
        logged = self.run.elites().set_index("id")[names]
        return self._fold(self.elites.sort_values("evaluation"), lambda row, name: logged.loc[row["id"], name])

    def summary(self) -> dict[str, Any]:
        """What `qd verify` says of the map."""
        objective = self.run.archive.objective
        answered = self.elites[self.elites["seeds"] > 0]
        ranks = [rankdata(-objective.sign * answered[name], method="min") for name in ("objective", "mean")]
        holders = {cell: elite.candidate for cell, elite in self.corrected.elites.items()}
        kept = [holders.get(cell) == elite.candidate for cell, elite in self.before.elites.items()]
        return {
            "run": self.run.folder.name,
            "objective": objective.metric,
            "elites_verified": len(self.elites),
            "elites": len(self.run.archive),
            "seeds": int(self.elites["seeds"].max()),
            "failed": int(self.elites["failed"].sum()),
            "archive": _numbers(self.before),
            "corrected": _numbers(self.corrected),
            "mean_drop": _number(answered["drop"].mean()),
            "cells_kept": float(np.mean(kept)),
            "ranks_kept": _number(np.mean(ranks[0] == ranks[1])) if len(answered) else None,
            "rank_correlation": _correlation(answered["objective"], answered["mean"]),
        }

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

    def _fold(self, rows: pandas.DataFrame, value: Any) -> GridArchive:
        archive = make_archive(self.run.config.archive, self.run.metrics)
        names = {archive.objective.metric, *(axis.metric for axis in archive.axes)}
        table = rows.to_dict("records")
        metrics = {name: np.array([value(row, name) for row in table], dtype=np.float64) for name in names}
        archive.add([row["evaluation"] for row in table], [row["id"] for row in table], metrics, [None] * len(table))
        return archive


def verification(run: Run) -> Verification | None:
    """Read what is known of the run's present elites; None where none of them was verified."""
    archive = run.archive
    cells = {elite.candidate: cell for cell, elite in archive.elites.items()}
    failed = dict(
        run.query(
            "SELECT candidate, SUM(_status > 0) FROM results JOIN evaluations e ON e.id = _evaluation"
            " WHERE purpose = ? GROUP BY candidate",
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


def _numbers(archive: GridArchive) -> dict[str, float | int]:
    return {
        "elites": len(archive),
        "coverage": archive.coverage,
        "qd_score": archive.qd_score,
        "normalised_qd_score": archive.normalised_qd_score,
    }


def _correlation(a: pandas.Series, b: pandas.Series) -> float | None:
    """Spearman's; None where it is not defined."""
    if len(a) < 2 or a.nunique() < 2 or b.nunique() < 2:
        return None
    return float(spearmanr(a, b).statistic)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
