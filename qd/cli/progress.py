"""Progress of a search: live on a terminal, one plain line every 10 seconds elsewhere."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from ..wording import duration, number
from .counter import SECONDS_BETWEEN_FRAMES, SECONDS_BETWEEN_LINES
from .output import console, note

if TYPE_CHECKING:
    from ..config import BudgetConfig
    from ..search.loop import Loop

RATE_WINDOW = 30.0
"""Seconds over which the rate is averaged."""


class Progress:
    """Shows evaluations, their rate, best, coverage, QD score, failures and the time left."""

    def __init__(self, budget: BudgetConfig) -> None:
        self._budget = budget
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._recent: deque[tuple[float, int]] = deque()
        self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, search: Loop) -> None:
        now = time.monotonic()
        self._recent.append((now, search.evaluations))
        while len(self._recent) > 2 and now - self._recent[0][0] > RATE_WINDOW:
            self._recent.popleft()
        if now - self._shown < (SECONDS_BETWEEN_FRAMES if self._live else SECONDS_BETWEEN_LINES):
            return
        self._shown = now
        if self._live:
            self._live.update(self._table(search), refresh=True)
        else:
            note("  ".join(f"{name} {value}" for name, value in self._facts(search).items()))

    def _table(self, search: Loop) -> Table:
        table = Table.grid(padding=(0, 2))
        facts = self._facts(search)
        table.add_row(*[f"[dim]{name}[/dim]" for name in facts])
        table.add_row(*[f"[bold]{value}[/bold]" for value in facts.values()])
        return table

    def _facts(self, search: Loop) -> dict[str, str]:
        from ..candidates import Status

        archive = search.archive
        best = archive.best
        limit = f"/{self._budget.evaluations:,}" if self._budget.evaluations else ""
        failures = search.evaluations - search.counts[Status.OK] - search.counts[Status.INVALID]
        return {
            "evaluations": f"{search.evaluations:,}{limit}",
            **self._trainings(search),
            "per second": number(self._rate()),
            f"best {archive.objective.metric}": number(best.objective if best else None),
            "coverage": f"{archive.coverage:.1%}",
            "QD score": number(archive.qd_score),
            "failures": f"{failures:,}",
            "elapsed": duration(search.seconds),
            "left": self._left(search),
        }

    def _trainings(self, search: Loop) -> dict[str, str]:
        most = self._budget.trainings
        return {} if most is None else {"trainings": f"{number(search.trainings_asked)}/{number(most)}"}

    def _rate(self) -> float | None:
        (start, before), (end, after) = self._recent[0], self._recent[-1]
        return (after - before) / (end - start) if end > start else None

    def _left(self, search: Loop) -> str:
        estimates = []
        rate = self._rate()
        if self._budget.evaluations and rate:
            estimates.append((self._budget.evaluations - search.evaluations) / rate)
        if self._budget.trainings and search.trainings_asked:
            estimates.append(search.seconds * (self._budget.trainings / search.trainings_asked - 1))
        if self._budget.seconds:
            estimates.append(self._budget.seconds - search.seconds)
        return duration(max(0.0, min(estimates))) if estimates else "–"
