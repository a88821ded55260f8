"""How many candidates go together where the run file leaves it to the machine: `search.chunk: auto`."""

from __future__ import annotations

from dataclasses import replace

from evaluators import Evaluator

from ..config import RunFile
from ..config.models import CHUNK, MOST_IN_A_CHUNK
from ..executors import Executor
from ..search.problem import Problem

CHUNKS = 20
"""A budget holds this many chunks at least: children of one chunk do not know of their siblings."""
OF_A_WORKER = 4
"""And for each worker so many: two are under way at a time, and the last of them are waited for."""


def with_chunk(parts: Problem, executor: Executor) -> Problem:
    """The same with `search.chunk` as a number. Called once, before the log is made, which then has that number."""
    config = parts.config
    if config.search.chunk != "auto":
        return parts
    size = chosen_chunk(config, _best_chunk(parts.evaluator, executor), executor.workers)
    return replace(parts, config=config.model_copy(update={"search": config.search.model_copy(update={"chunk": size})}))


def chosen_chunk(config: RunFile, best: int | None, workers: int) -> int:
    """How many candidates a chunk holds.

    Args:
        config: its budget and its window bound the number.
        best: what the evaluator takes best at once; None: it does not say.
        workers: that evaluate at one time.
    """
    most = [best or CHUNK, MOST_IN_A_CHUNK]
    rungs, budget = config.search.rungs, config.budget
    if budget.evaluations is not None:
        most.append(budget.evaluations // max(CHUNKS, OF_A_WORKER * workers))
    if budget.trainings is not None:
        evaluations = budget.trainings / (rungs.fidelities[0] if rungs else 1)
        most.append(int(evaluations / max(CHUNKS, OF_A_WORKER * workers)))
    if config.search.window is not None:
        most.append(config.search.window // workers)
    return max(1, min(most))


def _best_chunk(evaluator: Evaluator, executor: Executor) -> int | None:
    """As workers say, who may have other devices than this process; as long as there is none, as this process says."""
    return executor.best_chunk or (evaluator.best_chunk if evaluator.evaluates else None)
