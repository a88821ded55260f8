"""How much is sent at once and how much ahead, from how long evaluations take and how long workers wait for them."""

from __future__ import annotations

import math

SHORT_SECONDS = 1.0
"""Behind a task shorter than this, a second one waits at the worker: fetching it would cost a noticeable share."""
SPARE = 2
"""Behind longer ones, this many tasks wait in the driver: the fewer, the fresher the parents of what is proposed."""
MUCH_IDLE, LITTLE_IDLE = 0.02, 0.005
"""Workers that are idle for more than this share of their time get one more task ahead; for less than that, one fewer.
"""
JUDGED = 32
"""After this many tasks."""
MOST_EXTRA = 2
"""This many more, at most: what is left then is what Ray costs."""
ENOUGH_SECONDS = 0.1
"""A task that takes so long is long enough: sending it costs about a hundredth of that."""
MOST = 1024
"""Candidates in a task, at most, where the run file does not ask for more."""
MEMORY = 0.9
"""Weight of the past in the running averages."""


class Pacing:
    """Running averages of the seconds that a task and a candidate take, and of how idle workers are.

    What the search calls a chunk is never cut, as a stack of networks trains faster than its parts; it grows where
    candidates are so quick that sending them costs more than they do, at most twofold at a time.
    """

    def __init__(self) -> None:
        self._task_seconds: float | None = None
        self._candidate_seconds = math.nan
        self._chunk = 1
        self._extra = 0
        self._judged = 0
        self._busy = self._idle = 0.0

    def note(self, size: int, seconds: float, idle: float) -> None:
        """Take in that a task of this many candidates took so long, after its worker had been idle for so long."""
        self._judge(seconds, idle)
        if self._task_seconds is None:
            self._task_seconds, self._candidate_seconds = seconds, seconds / size
            return
        self._task_seconds += (1 - MEMORY) * (seconds - self._task_seconds)
        self._candidate_seconds += (1 - MEMORY) * (seconds / size - self._candidate_seconds)

    @property
    def depth(self) -> int:
        """How many tasks a worker has at a time."""
        short = self._task_seconds is None or self._task_seconds < SHORT_SECONDS
        return (2 if short else 1) + self._extra

    def tasks_ahead(self, workers: int) -> int:
        """How many tasks keep this many workers busy."""
        return max(self.depth * workers, workers + min(SPARE, workers))

    def chunk(self, given: int) -> int:
        """How many candidates a task should hold, at least `given`."""
        if self._task_seconds is None:
            return given
        enough = math.ceil(ENOUGH_SECONDS / max(self._candidate_seconds, 1e-9))
        self._chunk = max(given, min(enough, 2 * max(self._chunk, given), MOST))
        return self._chunk

    def _judge(self, seconds: float, idle: float) -> None:
        self._busy, self._idle, self._judged = self._busy + seconds, self._idle + idle, self._judged + 1
        if self._judged < JUDGED:
            return
        whole = self._busy + self._idle
        if self._idle > MUCH_IDLE * whole:
            self._extra = min(self._extra + 1, MOST_EXTRA)
        elif self._idle < LITTLE_IDLE * whole:
            self._extra = max(self._extra - 1, 0)
        self._busy, self._idle, self._judged = 0.0, 0.0, 0
