"""Progress of a known amount of work: live on a terminal, one plain line every 10 seconds elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.live import Live

from ..wording import duration
from .output import console, note

SECONDS_BETWEEN_LINES = 10
SECONDS_BETWEEN_FRAMES = 0.1


class Counter:
    """Shows how much is done, of how much, and the time left; called with both, and a word more where there is one.

    Args:
        what: is counted, such as "evaluations".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._started: tuple[float, int] | None = None
        self._shown = time.monotonic()

    def __enter__(self) -> Counter:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, done: int, of: int, more: str = "") -> None:
        now = time.monotonic()
        if self._started is None:
            self._started = (now, done)
        if now - self._shown < (SECONDS_BETWEEN_FRAMES if self._live else SECONDS_BETWEEN_LINES):
            return
        self._shown = now
        since, before = self._started
        left = f"left {duration((now - since) * (of - done) / (done - before))}" if done > before else ""
        line = "  ".join(part for part in (f"{self._what} {done:,}/{of:,}", more, left) if part)
        if self._live:
            self._live.update(line, refresh=True)
        else:
            note(line)
