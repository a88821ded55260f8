"""Start a run, or go on with one: from a file to a folder that holds its archive."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, environment
from ..archives import CVTArchive
from ..config import RunFile, check, load, override
from ..errors import UsageError, suggest
from ..executors import Executor, InlineExecutor
from ..executors.ray.options import ray_config
from ..search.columnar import ColumnarSearch
from ..search.full import Search
from ..search.loop import Loop
from ..store.folder import RunFolder, free_folder, on_network
from ..store.log import Log
from ..store.pending import Interrupted, interrupted
from ..store.resume import Unfinished, unfinished
from ..store.run import Run, open_run
from . import problem
from .components import build_evaluator

logger = logging.getLogger(__name__)

Progress = Callable[[Any], None]
"""Called with the search, a `Loop`."""
RESUMABLE = ("budget", "executor")
"""What a resume may change of the run file."""


def run(
    file: Path | str,
    *,
    out: Path | str | None = None,
    plugins: Path | str | None = None,
    progress: Progress = lambda search: None,
    overrides: Sequence[str] = (),
    **keys: Any,
) -> Run:
    """Search as a run file says, to the end of its budget.

    Ctrl-C (and SIGTERM) ends the search after the tell under way; `resume` goes on from there.

    Args:
        file: a run file in YAML.
        out: the run's folder, which must not exist; default: the first free results/<run file>-NNN.
        plugins: where dotted paths are looked up; default: the run file's folder.
        progress: called after every tell.
        overrides: "budget.evaluations=100" strings.
        **keys: the same as keywords: `budget={"evaluations": 100}`.

    Returns:
        The run, open for looking.

    Raises:
        UsageError: bad input; nothing was created.
        QdError: the search could not go on; all that was told is in the log.
    """
    file = Path(file)
    config = load(file, list(overrides) or keys)
    if overrides and keys:
        config = check(override(config.dump(), keys, str(file)), str(file))
    plugin_folder = Path(plugins) if plugins else file.resolve().parent
    parts = problem.prepare(config, str(file), plugin_folder)
    with contextlib.closing(make_executor(config, parts, str(file))) as executor:
        _mention(parts.digests, plugin_folder)
        folder = _make_folder(file, out)
        log = _make_log(file, folder, config, parts)
        network = on_network(folder.path)
        if network:
            logger.info(f"{folder.path} lies on a network filesystem ({network}): the log uses a rollback journal")
        search = _search(config, parts, executor, log, folder)
        with folder.lock():
            return _drive(search, log, folder, 1, {}, progress)


def resume(
    folder: Path | str,
    *,
    plugins: Path | str | None = None,
    progress: Progress = lambda search: None,
    overrides: Sequence[str] = (),
    **keys: Any,
) -> Run:
    """Go on with a run where its log ends.

    Args:
        folder: the run's folder.
        plugins: where dotted paths are looked up; default: where they were when the run began.
        progress: called after every tell.
        overrides: "budget.evaluations=1000" strings; budget and executor alone may change.
        **keys: the same as keywords.

    Raises:
        UsageError: bad input, or a log that is damaged, foreign or newer; nothing was changed.
        QdError: another process runs this search, or it could not go on.
    """
    before = open_run(folder)
    config = resumed_config(before, overrides, keys)
    parts = prepare_again(before, config, plugins)
    with (
        before.folder.lock(),
        contextlib.closing(make_executor(config, parts, str(before.folder.log))) as executor,
    ):
        damage = before.query("PRAGMA quick_check(1)")[0][0]
        if damage != "ok":
            raise UsageError(f"{before.folder.log}: the log is damaged ({damage}); it was left untouched")
        learns = any(one.emitter.remembers for one in parts.emitters)
        rest = interrupted(before) if before.accepted_only else unfinished(before, told=learns)
        elites = before.fold(parts.archive).elites
        elites.set_genotypes(parts.space.genes.column(elites.genotypes(np.arange(len(elites)))))
        before.folder.sweep_weights(elites.evaluations.tolist())
        before.close()
        log = Log.reopen(before.folder.log, list(parts.metrics))
        old, new = before.config.dump(), config.dump()
        if new != old:
            before.folder.write_run_file(new)
            log.set_meta("run_file", new)
        search = _search(config, parts, executor, log, before.folder, rest)
        changed = {key: new.get(key) for key in RESUMABLE if new.get(key) != old.get(key)}
        return _drive(search, log, before.folder, rest.session + 1, changed, progress)


def prepare_again(before: Run, config: RunFile, plugins: Path | str | None) -> problem.Problem:
    """The parts of a run that was made before; a plug-in whose source has changed since is warned about.

    Raises:
        UsageError: a plug-in is missing, or other metrics than those of the log would be reported.
    """
    folder = plugins or before.meta("plugin_folder")
    folder = Path(folder) if folder else None
    parts = problem.prepare(config, str(before.folder.log), folder, before.meta("centroids"))
    _mention(parts.digests, folder)
    _compare(parts, before)
    return parts


def make_executor(config: RunFile, parts: problem.Problem, name: str) -> Executor:
    """The executor that the run file names; `name` is the file's path, for messages.

    Raises:
        UsageError: it is unknown, a key of it is, or its cluster cannot be used.
    """
    kind, arguments = config.executor.kind, config.executor.arguments
    if kind == "ray":
        from ..executors.ray.executor import RayExecutor  # Ray, which takes a second to import

        options = ray_config(config.executor.model_dump(), name)
        if options.chunk and config.search.order == "id":
            raise UsageError(
                f"{name}: executor.chunk: under `order: id` the log depends on what is evaluated together;"
                " leave it out, and set search.chunk in the run file"
            )
        return RayExecutor(functools.partial(build_evaluator, config), options, parts.plugin_folder)
    if kind != "inline":
        raise UsageError(f"{name}: executor.kind: unknown executor {kind!r}{suggest(kind, ['inline', 'ray'])}")
    for key in arguments:
        raise UsageError(f"{name}: executor.{key}: unknown key; the inline executor has none")
    return InlineExecutor(parts.evaluator)


def _search(
    config: RunFile,
    parts: problem.Problem,
    executor: Executor,
    log: Log,
    folder: RunFolder,
    rest: Unfinished | Interrupted | None = None,
) -> Loop:
    """The loop that keeps the log that the run file asks for; `rest` is what that log says, when resuming."""
    common = (parts.space, parts.archive, parts.emitters, executor, log, folder, config.search, config.budget)
    if config.log.keep == "accepted":
        assert rest is None or isinstance(rest, Interrupted)
        return ColumnarSearch(*common, config.log.every, rest)
    assert rest is None or isinstance(rest, Unfinished)
    return Search(*common, rest, config.imported)


def _drive(
    search: Loop,
    log: Log,
    folder: RunFolder,
    session: int,
    changed: Mapping[str, Any],
    progress: Progress,
) -> Run:
    process = {"pid": os.getpid(), "changed": dict(changed), **environment.describe(folder.path)}
    with contextlib.closing(log), interruptible() as interrupted:
        log.start_session(session, environment.now(), process)
        log.set_meta("ending", None)
        ending = search.run(progress, interrupted.is_set)
        log.set_meta("ending", ending.value)
    return open_run(folder.path)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """The first Ctrl-C or SIGTERM sets the event; the second ends at once. Only the main thread receives signals."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    for number in before:
        signal.signal(number, note)
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _make_folder(file: Path, out: Path | str | None) -> RunFolder:
    while True:
        folder = RunFolder(free_folder(Path("results"), file.stem) if out is None else out)
        try:
            folder.create()
            return folder
        except OSError as error:
            if out is None and isinstance(error, FileExistsError):
                continue  # another run took the name a moment ago
            raise UsageError(f"{folder.path}: cannot be made ({error.strerror}); choose another place: --out") from None


def _make_log(file: Path, folder: RunFolder, config: RunFile, parts: problem.Problem) -> Log:
    try:
        folder.write_run_file(config.dump())
        folder.write_environment(environment.describe(file.resolve().parent))
        meta = {
            "run_file": config.dump(),
            "plugin_folder": str(parts.plugin_folder.resolve()) if parts.plugin_folder else None,
            "digests": dict(parts.digests),
            "task": vars(parts.evaluator.task) if parts.evaluator.task else None,
            "genes": repr(parts.space.genes),
            "centroids": parts.archive.centroids.tolist() if isinstance(parts.archive, CVTArchive) else None,
            "version": __version__,
            "ending": None,
        }
        return Log.create(folder.log, parts.metrics, meta)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def resumed_config(before: Run, overrides: Sequence[str], keys: Mapping[str, Any]) -> RunFile:
    """The run's configuration with the changes of a resume.

    Raises:
        UsageError: a change of anything but budget and executor.
    """
    name = str(before.folder.run_file)
    data = override(override(before.config.dump(), list(overrides), name), keys, name)
    config = check(data, name)
    old, new = before.config.dump(), config.dump()
    for key in new.keys() | old.keys():
        if key not in RESUMABLE and new.get(key) != old.get(key):
            raise UsageError(
                f"{before.folder.path}: a resume may change {' and '.join(RESUMABLE)}, and nothing else;"
                f" {key} is fixed. To search otherwise, start a new run"
            )
    return config


def _mention(digests: Mapping[str, str], folder: Path | None) -> None:
    for path in digests:
        logger.info(f"importing {path} from {folder}")


def _compare(parts: problem.Problem, before: Run) -> None:
    for path, digest in (before.meta("digests") or {}).items():
        if parts.digests.get(path) != digest:
            logger.warning(
                f"the source of {path} has changed since the run began; old and new results may not be comparable"
            )
    if set(parts.metrics) != set(before.metrics):
        raise UsageError(
            f"{before.folder.path}: the run logged {', '.join(before.metrics)},"
            f" and now {', '.join(parts.metrics)} would be reported; a resume needs the same metrics"
        )
