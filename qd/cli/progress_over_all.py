"""Progress of many runs: live on a terminal, one plain line every 10 seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from ..wording import duration, number
from .counter import SECONDS_BETWEEN_FRAMES, SECONDS_BETWEEN_LINES
from .output import console, note

if TYPE_CHECKING:
    from ..config import BudgetConfig
    from ..runs.campaign import Standing

ROWS_SHOWN = 24


class ProgressOverAll:
    """Shows how many runs are done, and how far those are that have begun."""

    def __init__(self, names: Sequence[str], budget: BudgetConfig) -> None:
        self._names, self._budget = names, budget
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._shown = self._started = time.monotonic()
        self._first: int | None = None  # evaluations that were there when this began

    def __enter__(self) -> ProgressOverAll:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, standings: Mapping[str, Standing]) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = sum(one.evaluations for one in standings.values())
        if now - self._shown < (SECONDS_BETWEEN_FRAMES if self._live else SECONDS_BETWEEN_LINES):
            return
        self._shown = now
        if self._live:
            self._live.update(self._table(standings, now), refresh=True)
        else:
            note(self._line(standings, now))

    def _line(self, standings: Mapping[str, Standing], now: float) -> str:
        ended = sum(one.ended for one in standings.values())
        evaluations = sum(one.evaluations for one in standings.values())
        limit = f"/{self._budget.evaluations * len(self._names):,}" if self._budget.evaluations else ""
        rate = (evaluations - (self._first or 0)) / max(now - self._started, 1e-9)
        left = ""
        if self._budget.evaluations and rate > 0:
            left = f"  left {duration((self._budget.evaluations * len(self._names) - evaluations) / rate)}"
        under_way = [f"{name} {one.evaluations:,}" for name, one in standings.items() if not one.ended]
        return (
            f"runs {ended}/{len(self._names)}  evaluations {evaluations:,}{limit}  per second {number(rate)}{left}"
            + (f"  now: {', '.join(under_way)}" if under_way else "")
        )

    def _table(self, standings: Mapping[str, Standing], now: float) -> Table:
        table = Table(box=None, title=self._line(standings, now), title_justify="left", title_style="bold")
        for heading in ("run", "evaluations", "best", "coverage", "QD score", "time"):
            table.add_column(heading, justify="left" if heading == "run" else "right", header_style="dim")
        ended = [name for name, one in standings.items() if one.ended]
        under_way = [name for name in standings if name not in ended]
        for name in [*ended[-max(0, ROWS_SHOWN - len(under_way)) :], *under_way]:
            one = standings[name]
            table.add_row(
                name,
                f"{one.evaluations:,}",
                number(one.best),
                f"{one.coverage:.1%}",
                number(one.qd_score),
                duration(one.seconds),
                style="dim" if one.ended else "",
            )
        return table
