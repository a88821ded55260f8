"""The trained weights of a candidate: those that were kept, or, trained again from its seed, the same ones."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np

from search_spaces import SearchSpace

from ..analysis.run import Run
from ..analysis.rungs import start_of
from ..candidates import Candidates, Results, Start, Status, Weights
from ..errors import QdError
from ..executors import evaluate
from ..search.problem import Problem
from ..search.rows import candidates_of
from ..store.log import EvaluationRow

logger = logging.getLogger(__name__)

SAME = 1e-3
"""Metrics that differ by less than this share of themselves count as equal: other processors round otherwise."""


@dataclass(frozen=True)
class Found:
    """Weights, and the metrics that were measured with them."""

    evaluation: int
    weights: Weights
    metrics: dict[str, float]
    retrained: bool = False


def kept_weights(run: Run, candidate: int) -> Found | None:
    """The weights that the run's folder holds, or None.

    Raises:
        QdError: the file is damaged.
    """
    rows = run.query("SELECT id FROM evaluations WHERE candidate = ? AND fidelity = 1 ORDER BY id DESC", [candidate])
    for (evaluation,) in rows:
        if run.folder.has_weights(evaluation):
            return Found(evaluation, run.folder.read_weights(evaluation), run.metrics_of(evaluation))
    return None


def weights_again(run: Run, candidate: int, parts: Problem) -> Found:
    """Train a candidate again, as the search did, and say where it came out otherwise.

    Raises:
        QdError: its evaluation fails now, or gives no weights though its network has some to train.
    """
    [found] = run.query(
        "SELECT e.* FROM evaluations e JOIN results ON e.id = _evaluation"
        " WHERE e.candidate = ? AND e.purpose = 'search' AND _status = 0 ORDER BY e.fidelity DESC",
        [candidate],
    )[:1]
    row = EvaluationRow(*found)
    evaluation, genotype = row.id, run.genotypes([candidate])[candidate]
    logger.info(f"no weights of {candidate} were kept: evaluating it again from its seed")
    batch = candidates_of([row], parts.space.genes.column([genotype]))
    results, weights = _evaluate_again(run, parts, batch)
    if results.status[0] != Status.OK:
        error = results.errors.get(int(results.evaluation_ids[0]), "")
        raise QdError(f"{run.folder.path}: candidate {candidate} fails now: {error}")
    metrics = {name: float(column[0]) for name, column in results.metrics.items()}
    for name, before in run.metrics_of(evaluation).items():
        after = metrics[name]
        if not run.metrics[name].time and not math.isclose(before, after, rel_tol=SAME, abs_tol=SAME):
            logger.warning(f"{name} of {candidate} is {after:.6g} when evaluated again, the log says {before:.6g}")
    return Found(evaluation, weights, metrics, retrained=True)


def _evaluate_again(run: Run, parts: Problem, batch: Candidates) -> tuple[Results, Weights]:
    """As the search did: from the weights that it began with, be they its own of a lower rung or those of a parent."""
    evaluation = int(batch.evaluation_ids[0])
    start = start_of(run, evaluation)
    if start is None:
        return _evaluate(parts, batch)
    source, spent = start
    if run.folder.has_weights(source):
        weights = run.folder.read_weights(source)
    elif spent:
        before = replace(batch, evaluation_ids=np.array([source], dtype=np.int64), fidelity=spent)
        results, weights = _evaluate_again(run, parts, before)
        if results.status[0] != Status.OK:
            return results, {}
    else:
        logger.warning(
            f"{int(batch.ids[0])} began with the weights of its parent, which are gone: trained from its seed, it is"
            " another network"
        )
        return _evaluate(parts, batch)
    return _evaluate(parts, replace(batch, starts={evaluation: Start(weights, spent)}))


def _evaluate(parts: Problem, batch: Candidates) -> tuple[Results, Weights]:
    results = evaluate(parts.evaluator, batch)  # in this process, whatever the run's executor: it is one network
    return results, results.weights.get(int(batch.evaluation_ids[0]), {})


def can_build(space: SearchSpace) -> bool:
    """Whether the space builds networks at all."""
    return type(space).build is not SearchSpace.build
