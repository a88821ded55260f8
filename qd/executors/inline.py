"""The reference executor: evaluates in this process, one batch after the other."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable

from evaluators import Evaluator

from ..candidates import Candidates, Results, Weights
from .base import Executor, evaluate


class InlineExecutor(Executor):
    """Evaluates within `collect`, in the order of submission."""

    in_process = True

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._queue: deque[Candidates] = deque()
        self._weights: dict[int, Weights] = {}
        self._worker = socket.gethostname()

    @property
    def slots(self) -> int:
        return 1

    @property
    def best_chunk(self) -> int | None:
        return self._evaluator.best_chunk

    def submit(self, candidates: Candidates) -> None:
        self._queue.append(candidates)

    def collect(self, timeout: float | None = None) -> list[Results]:
        if not self._queue:
            return []
        results = evaluate(self._evaluator, self._queue.popleft())
        self._weights.update(results.weights)
        results.weights = {}
        results.workers = dict.fromkeys(results.evaluation_ids.tolist(), self._worker)
        return [results]

    def fetch(self, ids: Iterable[int]) -> dict[int, Weights]:
        return {id: self._weights[id] for id in ids if id in self._weights}

    def release(self, ids: Iterable[int]) -> None:
        for id in ids:
            self._weights.pop(id, None)

    def close(self) -> None:
        self._queue.clear()
        self._weights.clear()
