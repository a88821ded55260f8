"""A search on many workers: how busy they are, how much faster training is, and how many one driver feeds.

Utilisation: evaluations sleep for lognormal times (σ = 1, median 0.1 s), so that logical workers need no cores of their
own; each reports when it began and ended, and where. What counts is the share of the workers' time that is spent within
evaluations, from when all workers have begun to when the last evaluation begins: while there is work for all. The
figures "to the end" include the last evaluations, during which others wait, as at the end of any search. The barrier is
a generation of one candidate a worker, sent when all of the one before have answered.

Training: random networks of `sparse_moe` on Fashion-MNIST, the same for both sides, inline and on two workers, one
thread each, by search time; starting workers is left out. It needs two idle cores.

The driver alone: simulated workers answer at once, in no order, with metrics and no weights, so that all time goes into
proposing, logging and telling, with trees as genotypes. What Ray costs on top is measured with two real workers whose
evaluations are free; their own work takes part of the two cores.
"""

from __future__ import annotations

import contextlib
import functools
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

import qd
from qd.candidates import Candidates, Results, Weights
from qd.config import load
from qd.executors import Executor, evaluate
from qd.executors.ray.executor import RayExecutor
from qd.executors.ray.options import RayConfig
from qd.runs.components import build_evaluator
from qd.search.problem import Problem
from qd.testing.batches import make_candidates
from qd.testing.toys import copy_toy
from qd.training.device import pin_threads
from search_spaces.sparse_moe import SparseMoE

from .figures import Figure

EVALUATIONS_A_WORKER = 200
GENERATIONS = 60
ROUNDS = 3
DRIVEN = 40_000
RUN_FILE = """
space: {{kind: "free:Trees"}}
evaluator: {{kind: "free:{evaluator}"}}
archive: {{objective: score, measures: [{{metric: a, low: 0, high: 1}}, {{metric: b, low: 0, high: 1}}]}}
search: {{chunk: {chunk}}}
budget: {{evaluations: {evaluations}}}
"""
TRAINING = {"emitters": [{"kind": "random"}], "search": {"chunk": 8}, "budget": {"evaluations": 160, "seconds": None}}


def figures() -> list[Figure]:
    """Utilisation, training, driver."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_toy("free", folder)
        driver = [_driven(folder, number) for number in range(ROUNDS)]
        workers = [60 * rate for rate in driver]
        return [
            *_utilisation(folder, 2, target=95),
            *_utilisation(folder, 8, target=92),
            Figure("training on 2 workers against inline", _training(folder), "×", target=1.8, better="higher"),
            Figure(
                "the driver alone, tree genotypes, simulated workers",
                driver,
                "evaluations/s",
                target=3000,
                better="higher",
            ),
            Figure("workers of one-minute evaluations that this would feed, were Ray free", workers, "workers"),
            Figure("through Ray, two workers whose evaluations are free", [_through_ray(folder)], "evaluations/s"),
        ]


def _run_file(folder: Path, evaluator: str, chunk: int, evaluations: int) -> Path:
    path = folder / f"{evaluator}.yaml"
    path.write_text(RUN_FILE.format(evaluator=evaluator, chunk=chunk, evaluations=evaluations))
    return path


# -------------------------------------------------------------- utilisation


def _utilisation(folder: Path, workers: int, target: float) -> list[Figure]:
    evaluations = workers * EVALUATIONS_A_WORKER
    options = {"kind": "ray", "workers": workers, "cpus": 0.25}
    file = _run_file(folder, "Sleeps", 1, evaluations)
    run = qd.run(file, out=folder / f"steady-{workers}", executor=options)
    steady = np.array(run.query("SELECT began, ended, process FROM results WHERE _status = 0"))
    run.close()
    barrier = _with_barrier(file, RayConfig(**options), GENERATIONS)
    name = f"busy, {workers} workers, "
    return [
        Figure(f"{name}steady state", [_busy(steady)], "%", target=target, better="higher"),
        Figure(f"{name}steady state, to the end", [_busy(steady, to_the_end=True)], "%"),
        Figure(f"{name}generations", [_busy(barrier)], "%"),
    ]


def _busy(spans: np.ndarray, to_the_end: bool = False) -> float:
    """Percent of the workers' time within spans of (N, 3) seconds and processes."""
    began, ended, process = spans.T
    workers = np.unique(process)
    first = max(began[process == worker].min() for worker in workers)
    last = ended.max() if to_the_end else began.max()
    within = np.clip(ended, first, last) - np.clip(began, first, last)
    return float(100 * within.sum() / (len(workers) * (last - first)))


def _with_barrier(file: Path, options: RayConfig, generations: int) -> np.ndarray:
    genotypes = [SparseMoE.genes.sample(np.random.default_rng(0))]
    recipe = functools.partial(build_evaluator, load(file))
    spans = []
    with contextlib.closing(RayExecutor(recipe, options, file.parent)) as executor:
        for generation in range(generations):
            batches = [make_candidates(genotypes, first_id=1000 * generation + n) for n in range(options.workers or 1)]
            for batch in batches:
                executor.submit(batch)
            results = Results.join(part for part in _gather(executor, len(batches)))
            spans.append(np.stack([results.metrics[name] for name in ("began", "ended", "process")], axis=1))
    return np.concatenate(spans)


def _gather(executor: Executor, rows: int) -> Iterator[Results]:
    while rows:
        for results in executor.collect():
            rows -= len(results)
            yield results


# ----------------------------------------------------------------- training


def _training(folder: Path) -> list[float]:
    pin_threads()  # as workers do
    file = Path(__file__).parents[1] / "runs" / "fashion_moe.yaml"
    ratios = []
    for number in range(ROUNDS):
        seconds = {}
        for name, executor in {"inline": {"kind": "inline"}, "ray": {"kind": "ray", "workers": 2}}.items():
            run = qd.run(file, out=folder / f"{name}-{number}", executor=executor, **TRAINING)
            seconds[name] = run.seconds
            run.close()
        ratios.append(seconds["inline"] / seconds["ray"])
    return ratios


# ------------------------------------------------------------------- driver


class SimulatedWorkers(Executor):
    """Has every answer at once, and gives some of them, in no order, at every `collect`."""

    def __init__(self, evaluate_batch: Callable[[Candidates], Results], workers: int) -> None:
        self._evaluate, self._workers = evaluate_batch, workers
        self._answers: list[Results] = []
        self._random = random.Random(0)

    @property
    def slots(self) -> int:
        return self._workers

    def submit(self, candidates: Candidates) -> None:
        self._answers.append(self._evaluate(candidates))

    def collect(self, timeout: float | None = None) -> list[Results]:
        self._random.shuffle(self._answers)
        size = self._random.randint(1, 8)
        found, self._answers = self._answers[:size], self._answers[size:]
        return found

    def fetch(self, ids: Iterable[int]) -> dict[int, Weights]:
        return {}

    def release(self, ids: Iterable[int]) -> None:
        pass

    def close(self) -> None:
        self._answers.clear()


def _driven(folder: Path, number: int) -> float:
    """Evaluations a second."""
    file = _run_file(folder, "Free", 8, DRIVEN)

    def simulated(parts: Problem) -> Executor:
        return SimulatedWorkers(lambda batch: evaluate(parts.evaluator, batch), workers=64)

    run = qd.run(file, out=folder / f"driven-{number}", executor=simulated)
    rate = run.count / run.seconds
    run.close()
    return rate


def _through_ray(folder: Path) -> float:
    file = _run_file(folder, "Free", 8, DRIVEN)
    run = qd.run(file, out=folder / "through-ray", executor={"kind": "ray", "workers": 2})
    rate = run.count / run.seconds
    run.close()
    return rate
