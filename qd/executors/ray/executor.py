"""Evaluates on a Ray cluster that may break: whatever happens, every row comes back exactly once."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import cloudpickle
import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from evaluators import Evaluator

from ...candidates import Candidates, Results, Weights
from ...errors import UsageError
from ..base import Executor, Work
from .cluster import connect
from .inbox import Inbox
from .ledger import Ledger, Loss, Task
from .options import RayConfig, ray_config
from .pacing import Pacing
from .plugin_files import PluginFiles
from .pool import Member, Pool
from .reasons import explain
from .worker import Answer

Recipe = Callable[[Path | None], Evaluator]
"""Takes the folder of the plug-ins on the worker's machine, and returns a bound evaluator."""

FIRST_WORKER_SECONDS = 60.0
"""So long the constructor waits for the first worker; on a cluster that is in use the search waits on."""
ASK_SECONDS = 60.0
"""So long a worker may take to say how large a chunk it likes: it loads data for that."""
TICK_SECONDS = 0.5
"""How often deadlines are looked at, at least."""
FETCH_SECONDS = 30.0
"""Weights that have not arrived by then are given up; they can be trained again from the seed."""


class RayExecutor(Executor):
    """Keeps a pool of warm workers busy, each an actor with an evaluator of its own.

    Ray tells of dead workers and machines, and not of what hangs or of a network that is cut, so deadlines, attempts
    and signs of life are kept here. An answer that comes after its task was given up is dropped. Weights stay with the
    worker that trained them until they are fetched or released; those of a worker that died are lost.

    Args:
        source: a bound evaluator, which is pickled, or a function that makes one on the worker; that it is importable
            there, or pickled by value, is up to cloudpickle.
        config: the cluster, and what of it is used.
        plugins: folder whose files travel to the workers, where Python finds them.

    Raises:
        UsageError: the cluster cannot be reached or has no room, or the plug-ins' folder is too large.
        QdError: no worker could be started.
    """

    def __init__(
        self,
        source: Evaluator | Recipe,
        config: RayConfig,
        plugins: Path | None = None,
    ) -> None:
        recipe: Recipe = (lambda folder: source) if isinstance(source, Evaluator) else source
        self._config = config
        self._ledger = Ledger(config.max_attempts)
        self._pacing = Pacing()
        self._inbox = Inbox()
        self._open = 0
        self._done: list[Results] = []
        self._homes: dict[int, Member] = {}
        with contextlib.ExitStack() as undo:
            cluster = connect(config)
            undo.callback(cluster.close)
            here = config.address == "local" and cluster.is_ours
            files = (PluginFiles.in_place if here else PluginFiles.read)(plugins) if plugins else None
            payload = (ray.put(cloudpickle.dumps(recipe)), ray.put(files), config.memory, config.gpus)
            self._pool = Pool(cluster, config, payload, self._inbox, self._gone)
            undo.callback(self._pool.close)
            self._await_first_worker()
            self._undo = undo.pop_all()

    @classmethod
    def for_run(cls, work: Work, keys: Mapping[str, Any], where: str) -> Self:
        config = ray_config(keys, where)
        if config.chunk and work.ordered:
            raise UsageError(
                f"{where}.chunk: under `order: id` the log depends on what is evaluated together;"
                " leave it out, and set search.chunk in the run file"
            )
        return cls(work.recipe, config, work.plugins)

    @property
    def slots(self) -> int:
        workers = len(self._pool.ready) or self._pool.wanted or 1
        return self._pacing.tasks_ahead(workers)

    @property
    def workers(self) -> int:
        return self._pool.wanted or 1

    @property
    def best_chunk(self) -> int | None:
        for member in self._pool.ready[:1]:
            with contextlib.suppress(RayError, GetTimeoutError):
                return ray.get(member.actor.best_chunk.remote(), timeout=ASK_SECONDS)
        return None

    def chunk(self, given: int) -> int:
        return self._config.chunk or self._pacing.chunk(given)

    def submit(self, candidates: Candidates) -> None:
        self._open += len(candidates)
        self._ledger.add(candidates, self._config.chunk)
        self._dispatch()

    def collect(self, timeout: float | None = None) -> list[Results]:
        until = math.inf if timeout is None else time.monotonic() + timeout
        while self._open and not self._done:
            self._step(min(until - time.monotonic(), TICK_SECONDS))
            if time.monotonic() >= until:
                break
        found, self._done = self._done, []
        self._open -= sum(map(len, found))
        return found

    def fetch(self, ids: Iterable[int]) -> dict[int, Weights]:
        asked = [member.actor.fetch.remote(wanted) for member, wanted in self._by_home(ids)]
        found: dict[int, Weights] = {}
        until = time.monotonic() + FETCH_SECONDS
        for reference in asked:
            with contextlib.suppress(RayError, GetTimeoutError):
                found.update(ray.get(reference, timeout=max(0.0, until - time.monotonic())))
        return found

    def release(self, ids: Iterable[int]) -> None:
        for member, unwanted in self._by_home(ids):
            member.actor.release.remote(unwanted)
            for id in unwanted:
                del self._homes[id]

    def close(self) -> None:
        self._undo.close()

    # ------------------------------------------------------------------ steps

    def _await_first_worker(self) -> None:
        until = time.monotonic() + FIRST_WORKER_SECONDS
        while not self._pool.ready and time.monotonic() < until:
            self._step(TICK_SECONDS)

    def _step(self, seconds: float) -> None:
        self._pool.tend()
        self._dispatch()
        self._inbox.wait(seconds)
        self._end_what_is_late()
        self._dispatch()

    def _dispatch(self) -> None:
        """Give tasks to those who have the fewest; a suspect has its worker to itself."""
        ready = self._pool.ready
        for load in range(self._pacing.depth):
            for member in ready:
                task = self._ledger.first
                if task is None or (task.suspect and load):
                    return
                if len(member.tasks) == load and not (load and member.tasks[0][0].suspect):
                    self._give(member, self._ledger.next())

    def _give(self, member: Member, task: Task) -> None:
        if not member.tasks:
            member.since = time.monotonic()
        reference = member.actor.evaluate.remote(task.candidates)
        member.tasks.append((task, reference))
        self._inbox.expect(
            reference,
            lambda answer: self._answered(member, task, answer),
            lambda error: self._failed(member, task, error),
        )

    def _answered(self, member: Member, task: Task, answer: Answer) -> None:
        self._finish(member, task)
        self._pacing.note(len(task), answer.seconds, answer.idle)
        self._homes.update(dict.fromkeys(answer.weights, member))
        self._done.append(self._ledger.answered(task, answer.results))

    def _failed(self, member: Member, task: Task, error: Exception) -> None:
        if isinstance(error, RayActorError | OutOfMemoryError):
            self._pool.died(member, error)
            return
        self._finish(member, task)  # the worker lives: the answer could not be sent, or was lost on the way
        self._lose(member, task, Loss.WORKER if isinstance(error, RayTaskError) else Loss.NODE, explain(error))

    def _finish(self, member: Member, task: Task) -> None:
        member.tasks = deque(pair for pair in member.tasks if pair[0] is not task)
        member.since = time.monotonic()

    def _end_what_is_late(self) -> None:
        limit = self._config.timeout_seconds
        if limit is None:
            return
        now = time.monotonic()
        for member in self._pool.ready:
            if member.tasks and now - member.since > limit * len(member.tasks[0][0]):
                seconds = limit * len(member.tasks[0][0])
                self._pool.remove(member, Loss.TIME, f"not done within {seconds:g} s")

    def _gone(self, member: Member, loss: Loss, reason: str) -> None:
        """The first task of a worker that is gone was lost with it; the others had not begun."""
        for id in [id for id, home in self._homes.items() if home is member]:
            del self._homes[id]
        waiting = [task for task, _ in member.tasks]
        for task in reversed(waiting[1:]):
            self._ledger.give_back(task)
        if waiting:
            # one that is late is known; of a death, the task behind it may be the cause
            self._lose(member, waiting[0], loss, reason, alone=loss is Loss.TIME or len(waiting) == 1)

    def _lose(self, member: Member, task: Task, loss: Loss, reason: str, alone: bool = True) -> None:
        given_up = self._ledger.lost(task, loss, reason, alone)
        if given_up is not None:
            assert member.home is not None
            given_up.workers = dict.fromkeys(given_up.evaluation_ids.tolist(), member.home.place)
            self._done.append(given_up)

    def _by_home(self, ids: Iterable[int]) -> list[tuple[Member, list[int]]]:
        groups: dict[Member, list[int]] = {}
        for id in ids:
            if id in self._homes:
                groups.setdefault(self._homes[id], []).append(id)
        return list(groups.items())
