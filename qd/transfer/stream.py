"""A search for each task of a sequence; the library of modules grows in between.

The folder goes on where it stopped: a task that is finished is left alone, a search that is not is resumed.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.run import open_run
from ..config import RunFile, load
from ..errors import UsageError
from ..exporting.architecture import Architecture
from ..exporting.folder import give_weights
from ..exporting.formats import as_function
from ..exporting.parity import answers_of
from ..exporting.weights import kept_weights, weights_again
from ..plain_data import read_json, typed
from ..registry import Registry
from ..runs.campaign import Job, Report, perform
from ..runs.launch import prepare_again
from ..store.folder import write_atomically
from .library import build_library, open_library

logger = logging.getLogger(__name__)

SUMMARY = "stream.json"
LIBRARY = "library"


@dataclass(frozen=True)
class TaskResult:
    """What came of one task.

    Args:
        task: its name.
        folder: of its run, in the stream's.
        candidate: the best elite by the archive's objective.
        evaluations: that its search took.
        accuracy: of that elite on the test examples, right after the search.
        alone: the same of the search without a library; None where there is none to compare with.
        library: modules in the library, this task's included.
        library_parameters: of all of them.
    """

    task: str
    folder: str
    candidate: int
    evaluations: int
    accuracy: float
    alone: float | None
    library: int
    library_parameters: int


@dataclass(frozen=True)
class StreamResult:
    """What came of the sequence so far.

    Args:
        tasks: in their order.
        final: accuracies on the test examples once all tasks were learnt; empty before that.
    """

    tasks: list[TaskResult]
    final: list[float]

    @property
    def metrics(self) -> dict[str, float | None]:
        """Of the whole sequence: None where there is nothing to tell yet.

        `mean_accuracy`, on test examples and after the last task; `forward_transfer`, the mean gain over the searches
        without a library; `forgetting`, the mean loss between right after a task and the end; `library_modules` and
        `library_parameters` at the end, `evaluations_per_task`.
        """
        gains = [one.accuracy - one.alone for one in self.tasks if one.alone is not None]
        losses = [one.accuracy - now for one, now in zip(self.tasks, self.final, strict=False)]
        last = self.tasks[-1] if self.tasks else None
        return {
            "mean_accuracy": _mean(self.final),
            "forward_transfer": _mean(gains),
            "forgetting": _mean(losses),
            "library_modules": last.library if last else None,
            "library_parameters": last.library_parameters if last else None,
            "evaluations_per_task": _mean([one.evaluations for one in self.tasks]),
        }

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {"tasks": [asdict(one) for one in self.tasks], "final": self.final, "metrics": self.metrics}


def stream(
    file: Path | str,
    out: Path | str | None = None,
    *,
    top: int = 1,
    alone: bool = True,
    overrides: Sequence[str] = (),
    report: Report = lambda standings: None,
) -> StreamResult | None:
    """Search for each task of a `task_stream`, one after the other, and let the library grow.

    A library that the run file names is copied and stays what it is.

    Args:
        file: a run file with `space: {kind: module_library}` and `evaluator: {kind: task_stream, tasks: [...]}`.
        out: the folder of everything; what is there is gone on with. Default: results/<run file>.
        top: modules of this many of the best elites enter the library.
        alone: whether each task is also searched without a library, for the forward transfer.
        overrides: "budget.evaluations=50" strings.
        report: called with the standing of the runs.

    Returns:
        What came of it; None when it was interrupted, and the same call goes on from there.

    Raises:
        UsageError: bad input; nothing was created.
        QdError: a search failed; what was done is kept.
    """
    out = Path(out or Path("results") / Path(file).stem).resolve()
    config = load(Path(file), list(overrides), Registry(Path(file).resolve().parent))
    names = _check(config, str(file), out)
    library = out / LIBRARY
    given = config.space.arguments.get("library") is not None
    if given and not library.exists():
        source = Path(config.space.arguments["library"])
        open_library(source)
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary := out / f".{LIBRARY}.tmp", ignore_errors=True)
        shutil.copytree(source, temporary)
        temporary.rename(library)
    done = _read(out)
    for index, name in enumerate(names[len(done) :], start=len(done)):
        folder = f"{index + 1:02d}-{name}"
        own = (*overrides, f"evaluator.index={index}")
        reuses = given or index > 0  # and not whether it is there: a first task may be finished and not yet noted
        known = json.dumps(str(library)) if reuses else "null"
        jobs = [Job(name, Path(file), out / folder, (*own, f"space.library={known}"))]
        if alone and reuses:
            jobs.append(Job(f"{name} alone", Path(file), out / "alone" / folder, (*own, "space.library=null")))
        if not perform(jobs, report=report):
            return None
        added = build_library([jobs[0].out], library, top=top)
        logger.info(f"{name}: {len(added)} modules added to {library}")
        done.append(_result(name, jobs, out, library))
        _write(out, StreamResult(done, []))
    result = StreamResult(done, [test_accuracy(out / one.folder, one.candidate) for one in done])
    _write(out, result)
    return result


def _check(config: RunFile, name: str, out: Path) -> list[str]:
    """Refuse what is no stream; returns the names of its tasks."""
    if config.space.kind != "module_library" or config.evaluator.kind != "task_stream":
        raise UsageError(
            f"{name}: a stream needs the space module_library and the evaluator task_stream with its tasks; this is"
            f" {config.space.kind} and {config.evaluator.kind}"
        )
    registry = Registry(Path(name).resolve().parent)
    try:
        tasks = registry.build("evaluators", config.evaluator.kind, config.evaluator.arguments, "evaluator").tasks
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    if len(tasks) < 2:
        raise UsageError(f"{name}: evaluator.tasks: a stream has two tasks or more, got {len(tasks)}")
    left = {path.name for path in out.iterdir()} if out.exists() else set()
    if left - {f".{LIBRARY}.tmp", LIBRARY} and not left & {SUMMARY, f"01-{tasks[0].name}"}:
        raise UsageError(f"{out} exists and is no stream of these tasks; choose another `out`")
    return [task.name for task in tasks]


def _result(name: str, jobs: Sequence[Job], out: Path, library: Path) -> TaskResult:
    candidate, evaluations = _best(jobs[0].out)
    records = list(open_library(library))
    return TaskResult(
        task=name,
        folder=jobs[0].out.name,
        candidate=candidate,
        evaluations=evaluations,
        accuracy=test_accuracy(jobs[0].out, candidate),
        alone=test_accuracy(jobs[1].out, _best(jobs[1].out)[0]) if len(jobs) > 1 else None,
        library=len(records),
        library_parameters=sum(record.parameters for record in records),
    )


def _best(folder: Path) -> tuple[int, int]:
    """The best elite, and how many evaluations its search took."""
    run = open_run(folder)
    best = run.archive.best
    evaluations = run.count
    run.close()
    if best is None:
        raise UsageError(f"{folder}: the search found no elite; give it a larger budget or wider axes")
    return best.candidate, evaluations


def test_accuracy(folder: Path, candidate: int) -> float:
    """The accuracy of a candidate's kept network on the test examples, built with the library as it is now.

    Args:
        folder: of a run with the evaluator `task_stream`.
        candidate: with an ok evaluation.
    """
    run = open_run(folder)
    parts = prepare_again(run, run.config, None)
    found = kept_weights(run, candidate) or weights_again(run, candidate, parts)
    where = f"{folder}: candidate {candidate}"
    network = give_weights(Architecture.of(run, candidate).build(parts.space, where), found.weights, where)
    run.close()
    data = parts.evaluator.task_data()
    assert data is not None
    inputs, targets = data.examples("test")
    return next(iter(answers_of(as_function(network), inputs, targets, data)[1].values()))


def _read(out: Path) -> list[TaskResult]:
    path = out / SUMMARY
    if not path.exists():
        return []
    try:
        return typed(read_json(path)["tasks"], list[TaskResult], "tasks")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: expected what a stream wrote, but it is damaged ({error}); delete it") from error


def _write(out: Path, result: StreamResult) -> None:
    write_atomically(out / SUMMARY, (json.dumps(result.data(), indent=2) + "\n").encode())


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
