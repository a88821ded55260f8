"""What lives in a worker's process: an evaluator that is built once, and the weights that it trained."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import ray
from threadpoolctl import threadpool_limits

from evaluators import Evaluator

from ...candidates import Candidates, Results, Weights
from ...environment import __version__
from ..base import evaluate
from .card import Card
from .plugin_files import PluginFiles

SIDE = "side"
"""Ray's concurrency group of what must not wait behind an evaluation."""


@dataclass(frozen=True)
class Hello:
    """Where a worker lives.

    Args:
        node: Ray's id of the machine.
        place: what people read: the host's name, and the GPUs where it has any.
        version: of this package there.
    """

    node: str
    place: str
    version: str


@dataclass(frozen=True)
class Answer:
    """What a worker made of a task.

    Args:
        results: without weights.
        weights: evaluations whose weights the worker keeps.
        seconds: how long it took.
        idle: how long the worker had waited for it; 0 for its first.
    """

    results: Results
    weights: list[int]
    seconds: float
    idle: float


class Worker:
    """Evaluates tasks, one after the other, in a process of its own.

    Made in two steps: the constructor takes no time, so that the search soon knows where a worker is; `build` does.
    """

    def __init__(self) -> None:
        # Before anything imports torch. Ray hides no GPU from a worker that asked for none.
        gpus = [str(gpu) for gpu in ray.get_gpu_ids()]
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        os.environ["OMP_NUM_THREADS"] = "1"
        self._gpus = gpus
        self._card: Card | None = None
        self._place = " ".join([socket.gethostname(), *(f"gpu{gpu}" for gpu in gpus)])
        self._evaluator: Evaluator | None = None
        self._weights: dict[int, Weights] = {}
        self._ended: float | None = None

    def hello(self) -> Hello:
        """Say where this is."""
        return Hello(ray.get_runtime_context().get_node_id(), self._place, __version__)

    def build(self, recipe: bytes, files: PluginFiles | None, memory: int | None, gpus: float) -> None:
        """Load code and data.

        Args:
            recipe: a pickled function that takes the folder of the plug-ins, or None, and returns a bound evaluator.
            files: of the plug-ins; None where there are none.
            memory: bytes that candidates may take.
            gpus: cards, or the share of one, that this worker has.
        """
        folder = files.install(session_folder() / "qd-plugins") if files else None
        self._evaluator = cloudpickle.loads(recipe)(folder)
        threadpool_limits(1)
        if self._gpus and gpus < 1:
            self._card = Card(session_folder() / "qd-cards", self._gpus[0], gpus)
        if memory is not None:
            limit_memory(memory)

    def best_chunk(self) -> int | None:
        """Say how many candidates the evaluator takes best at once, here."""
        assert self._evaluator is not None
        return self._evaluator.best_chunk

    def evaluate(self, candidates: Candidates) -> Answer:
        """Evaluate a task; every row has a result."""
        assert self._evaluator is not None
        started = time.perf_counter()
        if self._card is None:
            results = evaluate(self._evaluator, candidates)
        else:
            results = self._card.evaluate(self._evaluator, candidates)
        idle = 0.0 if self._ended is None else started - self._ended
        self._ended = time.perf_counter()
        weights, results.weights = results.weights, {}
        self._weights.update(weights)
        results.workers = dict.fromkeys(results.evaluation_ids.tolist(), self._place)
        return Answer(results, list(weights), self._ended - started, idle)

    @ray.method(concurrency_group=SIDE)
    def fetch(self, ids: list[int]) -> dict[int, Weights]:
        """Return weights; ids that have none are left out."""
        return {id: self._weights[id] for id in ids if id in self._weights}

    @ray.method(concurrency_group=SIDE)
    def release(self, ids: list[int]) -> None:
        """Forget weights."""
        for id in ids:
            self._weights.pop(id, None)


class Pulse:
    """Answers from a machine as long as it can be reached. A process of its own: an evaluation may stop all threads."""

    def beat(self) -> None:
        """Nothing but an answer."""


def session_folder() -> Path:
    """Ray's folder of this cluster on this machine."""
    context = ray.get_runtime_context()
    return Path(context.get_temp_dir() or "/tmp/ray") / context.get_session_name()


def limit_memory(extra: int) -> None:
    """Let this process take this many bytes more than now; what wants more gets a `MemoryError`.

    Ray's `memory` is admission control and no limit. Where /proc does not say what a process holds (macOS), Ray's
    memory monitor alone protects the machine.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return
    import resource  # there is none on Windows

    held = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmData:"))
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (held + extra, hard))
