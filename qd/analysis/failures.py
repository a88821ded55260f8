"""What went wrong in a run, by cause."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..candidates import Status
from ..store.reader import LogReader

SHOWN = 160
"""Characters of a cause."""


@dataclass(frozen=True)
class Cause:
    """Evaluations without an answer for one reason, or rejected for one."""

    status: str
    text: str
    """The last line of the error, with numbers left out."""
    count: int
    example: str
    """The whole error of the first."""
    candidate: int
    """Of the first."""


def failures(run: LogReader) -> list[Cause]:
    """Causes of all that was not ok, the most frequent first."""
    rows = run.query(
        "SELECT _status, e.candidate, COALESCE(_error, '') FROM results JOIN evaluations e ON e.id = _evaluation"
        " WHERE _status <> ? ORDER BY _evaluation",
        [Status.OK.value],
    )
    found: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for status, candidate, error in rows:
        found.setdefault((status, _cause(error)), []).append((candidate, error))
    causes = [
        Cause(run.status(status).label, text, len(those), those[0][1], those[0][0])
        for (status, text), those in found.items()
    ]
    return sorted(causes, key=lambda cause: -cause.count)


def _cause(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    last = lines[-1] if lines else "no reason was given"
    return re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "#", last)[:SHOWN]
