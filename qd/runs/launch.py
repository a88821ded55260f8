"""Start a run, or go on with one: from a file to a folder that holds its archive."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import environment
from ..analysis.run import Run, open_run
from ..config import RunFile, check, load, override, places_as_given
from ..errors import QdError, UsageError
from ..executors import Executor, Work
from ..registry import Registry
from ..search.columnar import ColumnarSearch
from ..search.full import Search
from ..search.loop import Ending, Loop
from ..search.problem import Problem
from ..search.suspects import NOBODY, Suspects
from ..store.folder import RunFolder, free_folders, on_network
from ..store.log import Log
from ..store.resume import Interrupted, Unfinished, interrupted, last_session, unfinished
from . import problem, surroundings
from .chunk import with_chunk
from .components import build_evaluator
from .signals import interruptible
from .surroundings import RESUMABLE

logger = logging.getLogger(__name__)

Progress = Callable[[Any], None]
"""Called with the search, a `Loop`."""
AnyExecutor = Executor | Callable[[Problem], Executor]
"""Where candidates are evaluated, or what makes it of the run's parts."""


@dataclass(frozen=True)
class OpenSearch:
    """A search that may ask and be told: its run is locked, its log and its executor are open."""

    search: Loop
    problem: Problem
    log: Log
    folder: RunFolder

    def drive(self, progress: Progress = lambda search: None) -> Ending:
        """Search until the budget is used, the space is exhausted, or Ctrl-C; the log says which."""
        try:
            with interruptible() as interrupted, self.problem.registry.at_hand():
                ending = self.search.run(progress, interrupted.is_set)
        except KeyboardInterrupt:
            self.log.end_session(Ending.INTERRUPTED.value)
            raise
        except BaseException as error:
            with contextlib.suppress(QdError):  # perhaps it is the log that failed
                self.log.end_session(Ending.FAILED.value, str(error) or type(error).__name__)
            raise
        self.log.end_session(ending.value)
        return ending


def run(
    file: Path | str,
    *,
    out: Path | str | None = None,
    plugins: Path | str | None = None,
    progress: Progress = lambda search: None,
    executor: AnyExecutor | Mapping[str, Any] | str | None = None,
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
        executor: where candidates are evaluated, instead of what the run file names: an executor, which stays open; a
            function of the run's parts that makes one; or `{"kind": "ray"}`, keys of the run file.
        overrides: "budget.evaluations=100" strings.
        **keys: the same as keywords: `budget={"evaluations": 100}`.

    Returns:
        The run, open for looking.

    Raises:
        UsageError: bad input; nothing was created.
        QdError: the search could not go on; all completed evaluations are in the log.
    """
    with (
        staying_here(),
        begin(file, out=out, plugins=plugins, executor=executor, overrides=overrides, **keys) as opened,
    ):
        opened.drive(progress)
    return open_run(opened.folder.path)


def resume(
    folder: Path | str,
    *,
    plugins: Path | str | None = None,
    progress: Progress = lambda search: None,
    executor: AnyExecutor | Mapping[str, Any] | str | None = None,
    overrides: Sequence[str] = (),
    **keys: Any,
) -> Run:
    """Go on with a run where its log ends.

    Args:
        folder: the run's folder.
        plugins: where dotted paths are looked up; default: where they were when the run began.
        progress: called after every tell.
        executor: as for `run`.
        overrides: "budget.evaluations=1000" strings; budget and executor alone may change.
        **keys: the same as keywords.

    Raises:
        UsageError: bad input, or a log that is damaged, foreign or newer; nothing was changed.
        QdError: another process runs this search, or it could not go on.
    """
    with (
        staying_here(),
        go_on(folder, plugins=plugins, executor=executor, overrides=overrides, **keys) as opened,
    ):
        opened.drive(progress)
    return open_run(opened.folder.path)


@contextlib.contextmanager
def staying_here() -> Iterator[None]:
    """Be in the same working directory afterwards, wherever a plug-in went."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed: there is no way back
        yield
        return
    try:
        yield
    finally:
        os.chdir(here)


@contextlib.contextmanager
def begin(
    file: Path | str,
    *,
    out: Path | str | None = None,
    plugins: Path | str | None = None,
    executor: AnyExecutor | Mapping[str, Any] | str | None = None,
    overrides: Sequence[str] = (),
    **keys: Any,
) -> Iterator[OpenSearch]:
    """Make a run's folder and log, and hold them open with a search that has not asked yet; arguments are `run`'s.

    Raises:
        UsageError: bad input; nothing was created.
    """
    file = Path(file)
    keys, executor = _divided(keys, executor)
    folders = [RunFolder(out)] if out is not None else free_folders(Path("results"), file.stem)
    place = file.resolve().parent
    plugin_folder = Path(plugins).absolute() if plugins else place
    registry = Registry(plugin_folder)
    given, config = (_configured(file, overrides, keys, kinds) for kinds in (None, registry))
    parts = problem.prepare(config, str(file), plugin_folder)
    with _executor(executor, parts, str(file)) as used:
        parts.registry.mention()
        parts = with_chunk(parts, used)
        with (
            _new_folder(folders, only=out is not None) as folder,
            contextlib.closing(_make_log(place, folder, parts, given)) as log,
        ):
            network = on_network(folder.place)
            if network:
                logger.info(f"{folder.path} lies on a network filesystem ({network}): the log uses a rollback journal")
            with folder.as_given():
                yield _opened(_make_search(parts, used, log, folder), parts, log, folder)


@contextlib.contextmanager
def go_on(
    folder: Path | str,
    *,
    plugins: Path | str | None = None,
    executor: AnyExecutor | Mapping[str, Any] | str | None = None,
    overrides: Sequence[str] = (),
    **keys: Any,
) -> Iterator[OpenSearch]:
    """Hold a run open with a search that goes on where its log ends; arguments are `resume`'s.

    Raises:
        UsageError: bad input, or a log that is damaged, foreign or newer; nothing was changed.
        QdError: another process runs this search.
    """
    before = open_run(folder)
    keys, executor = _divided(keys, executor)
    config = resumed_config(before, overrides, keys, plugins)
    parts = prepare_again(before, config, plugins, proposing=True)
    with (
        before.folder.as_given(),
        before.folder.lock(),
        _executor(executor, parts, str(before.folder.path / before.folder.log.name)) as used,
    ):
        learns = any(one.emitter.remembers for one in parts.emitters)
        with contextlib.closing(Log.reopen(before.folder.log, list(parts.metrics))) as log:
            with before.decoding():  # before anything is touched: no search can go on from what is damaged
                rest = interrupted(before) if before.accepted_only else unfinished(before, told=learns)
                elites = before.fold(parts.archive).elites
                archived = elites.genotypes(np.arange(len(elites)))
                for genotypes in (archived, *rest.genotypes):
                    if len(genotypes):
                        parts.space.genes.accept(genotypes)
                elites.set_genotypes(parts.space.genes.column(archived))
                suspects = Suspects.after(last_session(before), rest.first_batch, config.search.order == "id")
                search = _make_search(parts, used, log, before.folder, rest, suspects)
            before.folder.complete(config.dump(), environment.describe(before.folder.place))
            before.folder.sweep_weights([*elites.evaluations.tolist(), *search.needed_weights])
            before.close()
            old, new = before.config.dump(), config.dump()
            if new != old:
                before.folder.write_run_file(new)
                log.set_meta("run_file", new)
            changed = {key: new.get(key) for key in RESUMABLE if new.get(key) != old.get(key)}
            for key, value in changed.items():
                logger.info(f"{key}: {old.get(key)} before, {value} from now on")
            yield _opened(search, parts, log, before.folder, rest.session + 1, changed)


def prepare_again(before: Run, config: RunFile, plugins: Path | str | None, *, proposing: bool = False) -> Problem:
    """The parts of a run that was made before; a plug-in whose source has changed since is warned about.

    Args:
        before: the run.
        config: as it is now.
        plugins: their folder; None: where they were.
        proposing: whether new candidates will be proposed, see `surroundings.compare`.

    Raises:
        UsageError: a plug-in is missing, or the parts are others than those that the run was made with.
    """
    parts = problem.prepare(
        config, str(before.folder.path / before.folder.log.name), _plugin_folder(before, plugins), before.recorded
    )
    parts.registry.mention()
    surroundings.compare(parts, before, proposing)
    return parts


def _plugin_folder(before: Run, plugins: Path | str | None) -> Path | None:
    folder = plugins or before.meta("plugin_folder")
    return Path(folder).absolute() if folder else None


def make_executor(config: RunFile, parts: Problem, name: str) -> Executor:
    """The executor that the run file names; `name` is the file's path, for messages.

    Raises:
        UsageError: it is unknown, a key of it is, or its cluster cannot be used.
    """
    where = f"{name}: executor"
    found = parts.registry.find("executors", config.executor.kind, where)
    work = Work(
        parts.evaluator,
        functools.partial(build_evaluator, config),
        parts.registry.plugin_folder,
        config.search.order == "id",
    )
    return found.for_run(work, config.executor.arguments, where)


@contextlib.contextmanager
def _executor(given: AnyExecutor | None, parts: Problem, name: str) -> Iterator[Executor]:
    """What evaluates; one that was given as it is stays open afterwards."""
    if isinstance(given, Executor):
        yield given
        return
    if given is None and not parts.evaluator.evaluates:
        raise UsageError(
            f"{name}: evaluator.kind: {parts.config.evaluator.kind} evaluates nothing itself; open this run with"
            " qd.open_search or qd ask-tell, and tell it what came of each candidate"
        )
    with contextlib.closing(given(parts) if given else make_executor(parts.config, parts, name)) as made:
        yield made


def _divided(
    keys: Mapping[str, Any], executor: AnyExecutor | Mapping[str, Any] | str | None
) -> tuple[dict[str, Any], AnyExecutor | None]:
    """Keys of the run file, and the executor where it is none of them."""
    if executor is None or isinstance(executor, Executor) or callable(executor):
        return dict(keys), executor
    return {**keys, "executor": executor}, None


def _make_search(
    parts: Problem,
    executor: Executor,
    log: Log,
    folder: RunFolder,
    rest: Unfinished | Interrupted | None = None,
    suspects: Suspects = NOBODY,
) -> Loop:
    """The loop that keeps the log that the run file asks for.

    Args:
        parts: with the archive as the log says.
        executor: where candidates are evaluated.
        log: not written to here.
        folder: of the run, locked.
        rest: what the log says, when resuming.
        suspects: what was under way when the process of a session before died.
    """
    if parts.config.log.keep == "accepted":
        assert rest is None or isinstance(rest, Interrupted)
        return ColumnarSearch(parts, executor, log, folder, rest, suspects)
    assert rest is None or isinstance(rest, Unfinished)
    return Search(parts, executor, log, folder, rest, suspects)


def _opened(
    search: Loop,
    parts: Problem,
    log: Log,
    folder: RunFolder,
    session: int = 1,
    changed: Mapping[str, Any] | None = None,
) -> OpenSearch:
    """Begin a session; `changed` are keys of the run file that are others than in the session before."""
    about = environment.describe(folder.place)
    process = {"pid": os.getpid(), "changed": dict(changed or {}), **search.noted, **about}
    log.start_session(session, environment.now(), process)
    return OpenSearch(search, parts, log, folder)


@contextlib.contextmanager
def _new_folder(folders: Iterable[RunFolder], only: bool) -> Iterator[RunFolder]:
    """Make the first of these that can be had, or the `only` one, without a log, and hold it locked."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            try:
                folder.create()
                stack.enter_context(folder.lock())
                folder.create()  # another run may have taken it before it was locked
            except OSError as error:
                raise UsageError(
                    f"{folder.path}: cannot be made ({error.strerror}); choose another place: `out`"
                ) from None
            except QdError:
                if only:
                    raise
                stack.close()  # another run took the name a moment ago
                continue
            yield folder
            return


def _configured(file: Path, overrides: Sequence[str], keys: Mapping[str, Any], kinds: Registry | None) -> RunFile:
    here = Path.cwd()
    config = load(file, list(overrides) or keys, kinds)
    if overrides and keys:
        return check(override(config.dump(), keys, str(file), kinds, here), str(file))
    return config


def _make_log(place: Path, folder: RunFolder, parts: Problem, given: RunFile) -> Log:
    try:
        config, plugins = parts.config, parts.registry.plugin_folder
        contents = surroundings.fixed(parts)
        meta = {
            "run_file": config.dump(),
            **({"chunk_as_given": "auto"} if given.search.chunk == "auto" else {}),
            "places_as_given": dict(places_as_given(given.dump(), config.dump())),
            "plugin_folder": str(plugins.resolve()) if plugins else None,
            "digests": parts.registry.digests,
            "task": contents.pop("task"),
            "genes": contents.pop("genes"),
            "contents": contents,
            "archive": {
                "fixed": parts.archive.fixed,
                "cells": parts.archive.cells,
                "recorded": parts.archive.recorded(),
            },
            "version": environment.__version__,
            "ending": None,
        }
        log = Log.create(folder.log, parts.metrics, meta)
        folder.complete(config.dump(), environment.describe(place))
        return log
    except BaseException:
        shutil.rmtree(folder.place, ignore_errors=True)
        raise


def resumed_config(
    before: Run, overrides: Sequence[str], keys: Mapping[str, Any], plugins: Path | str | None = None
) -> RunFile:
    """The run's configuration with the changes of a resume; arguments are `resume`'s.

    Raises:
        UsageError: a change of anything but budget and executor.
    """
    name = str(before.folder.path / before.folder.run_file.name)
    registry = Registry(_plugin_folder(before, plugins))
    with before.folder.as_given():
        edited = surroundings.as_edited(before)
    data = override(override(edited, list(overrides), name, registry), keys, name, registry)
    config = check(data, name)
    old, new = before.config.dump(), config.dump()
    for key in new.keys() | old.keys():
        if key not in RESUMABLE and new.get(key) != old.get(key):
            raise UsageError(
                f"{before.folder.path}: a resume may change {' and '.join(RESUMABLE)}, and nothing else;"
                f" {key} is fixed. To search otherwise, start a new run"
            )
    return config
