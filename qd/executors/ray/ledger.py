"""Who is evaluated how often: tasks that wait, attempts, and whom to blame for a lost worker. Knows nothing of Ray."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum, auto

from ...candidates import Candidates, Results, Status

MOST_TRIES = 20
"""This many times a candidate is tried at most, even where no loss was its fault: perhaps it takes machines down."""


class Loss(Enum):
    """How a task came to nothing."""

    WORKER = auto()
    """Its worker died, perhaps of it."""
    TIME = auto()
    """It was not done in time."""
    NODE = auto()
    """The machine went away or fell silent, or the answer was lost on the way."""


@dataclass(eq=False)
class Task:
    """Rows that are sent to a worker together.

    Args:
        candidates: the rows.
        suspect: it is one row that may have taken a worker down: it is to have a worker to itself.
    """

    candidates: Candidates
    suspect: bool = False

    def __len__(self) -> int:
        return len(self.candidates)


class Ledger:
    """Tasks that wait for a worker, and the history of rows that were lost before.

    When a worker dies, or a task is not done in time, each of its rows is tried again, alone on a worker, so that the
    culprit shows. A row that is lost alone, and for the `max_attempts`-th time, is given up. Of a machine that goes
    away its rows are not to blame: they are tried again as they were.

    Args:
        max_attempts: at least 1.
    """

    def __init__(self, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._waiting: deque[Task] = deque()
        self._tries: dict[int, int] = {}
        self._strikes: Counter[int] = Counter()

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._waiting)

    def add(self, candidates: Candidates, most: int | None = None) -> None:
        """Put rows at the end of the queue, in tasks of at most this many."""
        most = most or len(candidates)
        if len(candidates) <= most:
            self._waiting.append(Task(candidates))
            return
        for start in range(0, len(candidates), most):
            self._waiting.append(Task(candidates.take(range(start, min(start + most, len(candidates))))))

    @property
    def first(self) -> Task | None:
        """The task at the head of the queue."""
        return self._waiting[0] if self._waiting else None

    def next(self) -> Task:
        """Take the task at the head of the queue."""
        return self._waiting.popleft()

    def give_back(self, task: Task) -> None:
        """Put back a task that no worker began."""
        self._waiting.appendleft(task)

    def answered(self, task: Task, results: Results) -> Results:
        """Close a task, and note how often its rows were tried."""
        if self._tries:
            for id in task.candidates.evaluation_ids.tolist():
                if id in self._tries:
                    results.attempts[id] = self._tries.pop(id)
                    self._strikes.pop(id, None)
        return results

    def lost(self, task: Task, loss: Loss, reason: str, alone: bool = True) -> Results | None:
        """Queue the rows of a task that came to nothing again, and return those that are given up.

        Args:
            task: was begun.
            loss: how.
            reason: in words.
            alone: whether its worker had nothing else. If it had, an answer to this task may have been on its way when
                the next one took the worker down.
        """
        ids = task.candidates.evaluation_ids.tolist()
        blamed = loss is not Loss.NODE
        hopeless = []
        for row, id in enumerate(ids):
            self._strikes[id] += blamed
            struck_out = blamed and alone and len(ids) == 1 and self._strikes[id] >= self._max_attempts
            if struck_out or self._tries.get(id, 1) >= MOST_TRIES:
                hopeless.append(row)
            else:
                self._tries[id] = self._tries.get(id, 1) + 1
        rest = [row for row in range(len(ids)) if row not in hopeless]
        parts, suspect = ([[row] for row in rest], True) if blamed else ([rest], task.suspect)
        self._waiting.extendleft(Task(task.candidates.take(rows), suspect) for rows in reversed(parts) if rows)
        return self._give_up(task.candidates.take(hopeless), loss, reason) if hopeless else None

    def _give_up(self, candidates: Candidates, loss: Loss, reason: str) -> Results:
        status = Status.TIMED_OUT if loss is Loss.TIME else Status.LOST
        results = Results.without_metrics(candidates, status, reason)
        for id in candidates.evaluation_ids.tolist():
            tries = self._tries.pop(id, 1)
            del self._strikes[id]
            times = "the only attempt" if tries == 1 else f"attempt {tries}, the last"
            results.attempts[id], results.errors[id] = tries, f"{times}: {reason}"
        return results
