"""Where a candidate came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..store.reader import ARCHIVED, LogReader

ANCESTORS = 300
"""This many are followed at the most; crossover doubles their number with every generation."""


@dataclass(frozen=True)
class Ancestor:
    """A candidate on the way from the first proposals to the one asked about."""

    id: int
    generation: int
    """Steps back from the candidate asked about, which is 0; the fewest, where there are several ways."""
    parents: tuple[int, ...]
    operator: str
    emitter: str
    readable: str
    objective: float | None
    """In the metric's own unit, the mean over its evaluations in the search; None where none of them is ok."""


def lineage(run: LogReader, candidate: int, generations: int | None = None) -> list[Ancestor]:
    """The candidate itself and its ancestors, nearest first.

    Args:
        run: the run that proposed it.
        candidate: its id.
        generations: this many steps back at the most; default: to the first proposals.

    Raises:
        UsageError: there is no such candidate.
    """
    found: dict[int, tuple[int, tuple[Any, ...]]] = {}
    wanted, generation = [candidate], 0
    while wanted and len(found) < ANCESTORS and (generations is None or generation <= generations):
        rows = run.query(
            "SELECT id, parents, operator, emitter, readable FROM candidates"
            " WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps(wanted)],
        )
        for id, parents, *rest in rows:
            found[id] = (generation, (run.parents(parents), *rest))
        older = {parent for id, *_ in rows for parent in found[id][1][0]}
        wanted, generation = sorted(older - found.keys()), generation + 1
    if candidate not in found:
        raise UsageError(f"{run.folder.path}: there is no candidate {candidate}; qd elites lists those of the archive")
    values = _objectives(run, list(found))
    return [
        Ancestor(id, generation, parents, operator, emitter, readable, values.get(id))
        for id, (generation, (parents, operator, emitter, readable)) in found.items()
    ]


def _objectives(run: LogReader, candidates: list[int]) -> dict[int, float]:
    objective = run.config.archive.objective.metric
    return dict(
        run.query(
            f'SELECT e.candidate, AVG(results."{objective}") FROM evaluations e JOIN results ON _evaluation = e.id'
            f" WHERE {ARCHIVED} AND e.candidate IN (SELECT value FROM json_each(?)) GROUP BY e.candidate",
            [json.dumps(candidates)],
        )
    )
