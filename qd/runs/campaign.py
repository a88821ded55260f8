"""Many runs: a run file under many seeds, or many run files; each run in a folder of its own.

A campaign goes on where it stopped: a run that is finished is left alone, one that is not is resumed.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..analysis.run import open_run
from ..analysis.state import nothing_ok
from ..archives import Archive
from ..config import RunFile, load
from ..errors import QdError, UsageError
from ..registry import Registry
from ..search.loop import Ending, Loop
from ..store.folder import RunFolder
from . import launch
from .signals import interruptible


@dataclass(frozen=True)
class Job:
    """A run to be made.

    Args:
        name: what people call it.
        file: the run file.
        out: its folder.
        overrides: "search.seed=3" strings.
        plugins: where dotted paths are looked up; default: the run file's folder.
    """

    name: str
    file: Path
    out: Path
    overrides: tuple[str, ...] = ()
    plugins: Path | None = None


class Standing(NamedTuple):
    """How far a run is."""

    evaluations: int
    best: float | None
    coverage: float
    qd_score: float
    seconds: float
    ended: bool


Report = Callable[[Mapping[str, Standing]], None]
"""Called now and then with the standing of every run that has begun, by its name."""


def seed_jobs(
    file: Path, seeds: Sequence[int], folder: Path, overrides: Sequence[str] = (), plugins: Path | None = None
) -> list[Job]:
    """One job for each seed, in `folder/seed-003`."""
    return [
        Job(f"seed {seed}", file, folder / f"seed-{seed:03d}", (*overrides, f"search.seed={seed}"), plugins)
        for seed in seeds
    ]


def parse_seeds(text: str) -> range:
    """Read "0:20" as range(0, 20), as Python counts.

    Raises:
        UsageError: it is no such range, or an empty one.
    """
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match or not int(match[1]) < int(match[2]):
        raise UsageError(f"`seeds` {text}: expected first:end, e.g. 0:20 for the seeds 0 to 19")
    return range(int(match[1]), int(match[2]))


def perform(jobs: Sequence[Job], processes: int = 1, report: Report = lambda standings: None) -> bool:
    """Make all runs, `processes` at a time; returns whether all came to their end.

    Ctrl-C (and SIGTERM) ends each run that is under way after its tell; calling again goes on from there. When one run
    fails, the others are made all the same.

    Raises:
        UsageError: a run file is bad, or a folder holds another run; nothing was begun.
        QdError: some runs failed; says which, and why.
    """
    for job in jobs:
        _check(job)
    standings: dict[str, Standing] = {}
    failures: dict[str, QdError] = {}

    def note(name: str, standing: Standing) -> None:
        standings[name] = standing
        report(standings)

    if processes == 1:
        for job in jobs:
            try:
                if not _make(job, lambda standing, name=job.name: note(name, standing)):
                    break
            except QdError as error:
                failures[job.name] = error
    else:
        _in_processes(jobs, processes, note, failures)
    if failures:
        raise QdError("\n".join(f"{name}: {error}" for name, error in failures.items()))
    return all(job.name in standings and standings[job.name].ended for job in jobs)


def _in_processes(
    jobs: Sequence[Job], processes: int, note: Callable[[str, Standing], None], failures: dict[str, QdError]
) -> None:
    context = multiprocessing.get_context("spawn")
    news, stop = context.Queue(), context.Event()
    with (
        _one_thread_each(),
        ProcessPoolExecutor(processes, context, _begin, (news, stop, os.getpid())) as pool,
        interruptible() as interrupted,
    ):
        futures: dict[Future, str] = {pool.submit(_work, job): job.name for job in jobs}
        waiting = set(futures)
        while waiting:
            if interrupted.is_set():
                stop.set()
                for future in futures:
                    future.cancel()
            with suppress(queue.Empty):
                note(*news.get(timeout=0.1))
            waiting = {future for future in waiting if not future.done()}
        with suppress(queue.Empty):
            while True:
                note(*news.get(timeout=0.2))
    for future, name in futures.items():
        error = None if future.cancelled() else future.exception()
        if isinstance(error, QdError):
            failures[name] = error
        elif error is not None:
            raise error


_here: dict[str, Any] = {}
"""In a worker process: where news go, what stops it, and whose child it is."""


def _begin(news: Any, stop: Any, parent: int) -> None:
    _here.update(news=news, stop=stop, parent=parent)
    os.setsid()  # Ctrl-C reaches the driver alone, which then says `stop`


def _work(job: Job) -> None:
    _make(job, lambda standing: _here["news"].put((job.name, standing)), _told_to_stop)


def _told_to_stop() -> bool:
    return _here["stop"].is_set() or os.getppid() != _here["parent"]


def _make(job: Job, note: Callable[[Standing], None], told_to_stop: Callable[[], bool] = lambda: False) -> bool:
    """Run, resume or leave alone; returns whether the run came to its end."""
    stopping = False

    def progress(search: Loop) -> None:
        nonlocal stopping
        if not stopping and told_to_stop():
            stopping = True
            signal.raise_signal(signal.SIGINT)  # the run's own handler ends it after this tell
        note(_standing(search.archive, search.evaluations, search.seconds))

    if not RunFolder(job.out).log.exists():
        run = launch.run(job.file, out=job.out, plugins=job.plugins, progress=progress, overrides=job.overrides)
    else:
        run = open_run(job.out)
        budget = _config(job).budget
        if run.meta("ending") not in (Ending.BUDGET, Ending.PATIENCE, Ending.EXHAUSTED) or run.config.budget != budget:
            run = launch.resume(job.out, plugins=job.plugins, progress=progress, budget=budget.model_dump())
    archive = run.fold(run.empty_archive(), genotypes=False)
    ended = run.meta("ending") != Ending.INTERRUPTED
    reason = nothing_ok(run) if ended else None
    note(_standing(archive, sum(run.counts.values()), run.seconds)._replace(ended=ended))
    run.close()
    if reason:
        raise QdError(reason)
    return ended


def _standing(archive: Archive, evaluations: int, seconds: float) -> Standing:
    best = archive.best
    return Standing(
        evaluations, best.objective if best else None, archive.coverage, archive.qd_score, seconds, ended=False
    )


def _config(job: Job) -> RunFile:
    with launch.staying_here():
        return load(job.file, job.overrides, Registry(job.plugins or job.file.resolve().parent))


def _check(job: Job) -> None:
    config = _config(job)
    if not job.out.exists():
        return
    if not RunFolder(job.out).log.exists():
        if not RunFolder(job.out).is_blank:
            raise UsageError(f"{job.out} exists and is no run folder; choose another `out`")
        return
    run = open_run(job.out)
    old, new = run.config.dump(), config.dump()
    run.close()
    for key in new.keys() | old.keys():
        if key not in launch.RESUMABLE and new.get(key) != old.get(key):
            raise UsageError(f"{job.out} holds another run: its {key} differs; choose another `out`")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started here use one thread for arithmetic, unless the environment says otherwise."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("OMP_NUM_THREADS", None)
