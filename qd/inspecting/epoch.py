"""How long a network is trained: measured on one that is drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators import Evaluator
from search_spaces import Invalid, SearchSpace
from search_spaces.genes import Genotype

from ..candidates import Candidates, Status
from ..executors.base import evaluate
from ..training import TrainingOptions, build_seeded

TOGETHER = 8
"""Random networks that are timed together; the one of middling size is timed alone."""
TRIES = 200
LONGEST = 20.0
"""Seconds; where an epoch seems to take longer, a part of it is timed."""
FIRST_STEPS = 5
LEAST_STEPS = 25
"""Where an epoch has fewer, several epochs are timed: the first of them is not like the others."""


@dataclass(frozen=True)
class Epoch:
    """The time of one pass over the training examples.

    Args:
        seconds: of training one network alone.
        together: seconds of each network where `TOGETHER` of them are trained at once, as a search does.
        measured: how much was timed, in epochs.
        parameters: of the network.
        genotype: of the network.
    """

    seconds: float
    together: float
    measured: float
    parameters: int
    genotype: Genotype


def networks(space: SearchSpace, evaluator: Evaluator, number: int, seed: int = 0) -> list[tuple[Genotype, int]]:
    """Random genotypes that stand for networks of the evaluator's task, and their parameters, the smallest first."""
    rng, found = np.random.default_rng(seed), []
    task = evaluator.task
    assert task is not None
    for _ in range(TRIES):
        genotype = space.genes.sample(rng)
        try:
            network = build_seeded(lambda genotype=genotype: space.build(genotype, task), seed)
        except Invalid:
            continue
        found.append((genotype, sum(one.numel() for one in network.parameters())))
        if len(found) == number:
            break
    return sorted(found, key=lambda one: one[1])


def epoch(space: SearchSpace, evaluator: Evaluator, examples: int) -> Epoch | None:
    """Train random networks for one epoch: one of middling size alone, and several at once.

    Args:
        space: of networks.
        evaluator: bound to it.
        examples: for training.

    Returns:
        None where the evaluator does not tell how it trains.
    """
    data = evaluator.task_data()
    options = data.options if data else None
    drawn = networks(space, evaluator, TOGETHER)
    if options is None or "train_seconds" not in evaluator.metrics or not drawn:
        return None
    genotype, parameters = drawn[len(drawn) // 2]
    steps = max(1, examples // options.batch_size)
    several, few = [one for one, _ in drawn], min(1.0, FIRST_STEPS / steps)
    _seconds(evaluator, several, options, few)  # kernels are compiled
    first = _seconds(evaluator, [genotype], options, few)
    if first is None:
        return None
    wanted = min(max(1.0, LEAST_STEPS / steps), float(options.epochs))
    share = min(wanted, LONGEST * few / max(first, 1e-9))
    alone = _seconds(evaluator, [genotype], options, share)
    together = _seconds(evaluator, several, options, share)
    if alone is None or together is None:
        return None
    return Epoch(alone / share, together / share, share, parameters, genotype)


def _seconds(
    evaluator: Evaluator, genotypes: Sequence[Genotype], options: TrainingOptions, share: float
) -> float | None:
    """Seconds of training each network for so many epochs, their mean; None where it fails."""
    ids = np.arange(len(genotypes), dtype=np.int64)
    fidelity = share / options.epochs
    found = evaluate(evaluator, Candidates(ids, ids, ids, 0, list(genotypes), fidelity))
    ok = found.status == Status.OK
    return float(found.metrics["train_seconds"][ok].mean()) if ok.any() else None
