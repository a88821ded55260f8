"""Decides by measured cost whether networks are trained in a stack or one by one."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from search_spaces.task import Loss

from .inputs import Inputs
from .options import TrainingOptions
from .step import TrainingStep, step_of_network, step_of_stack

TRIED = 4
"""Networks of a stack that are tried alone; the others are taken to cost as much on average."""
STEPS = 2
"""Steps that are timed, after one that is not."""
WORTH = 40
"""Steps of a training below which nothing is tried: it would cost more than it could save."""
MEMORY = 8
"""Stacks that a measurement holds for."""


class Planner:
    """Remembers for each kind of stack how its cost compares with that of its networks alone.

    The first stack of a kind, and then every eighth, is tried on copies: a few steps together, and a few steps of some
    of its networks. That costs about a tenth of a training of 100 steps, once in eight stacks. Where there are too few
    steps to try anything, networks are stacked unless an earlier measurement speaks against it.
    """

    def __init__(self) -> None:
        self._ratios: dict[Hashable, tuple[float, int]] = {}
        """{kind: seconds alone over seconds together, stacks since it was measured}."""

    def is_slower(self, kind: Hashable, options: Sequence[TrainingOptions], steps: int) -> bool:
        """Whether stacks of a kind are known to be slower than their networks alone, and no new trial is due.

        Args:
            kind: of stacks that compare.
            options: K, how to train.
            steps: of the whole training.
        """
        kind = _kind(kind, options)
        ratio, age = self._ratios.get(kind, (math.nan, MEMORY))
        if not ratio < 1 or (age >= MEMORY and steps >= WORTH):
            return False
        self._ratios[kind] = (ratio, age + 1)
        return True

    def pays(
        self,
        kind: Hashable,
        stack: Any,
        networks: Sequence[nn.Module],
        inputs: Inputs,
        targets: Tensor,
        options: Sequence[TrainingOptions],
        loss: Loss,
        steps: int,
    ) -> bool:
        """Whether a stack takes no longer than its networks alone.

        Args:
            kind: of stacks that compare.
            stack: of K networks, with their parameters; it is not changed.
            networks: K; they are not changed.
            inputs: (N, *input_shape), all examples.
            targets: (N, ...).
            options: K, how to train.
            loss: the task's.
            steps: of the whole training.
        """
        kind = _kind(kind, options)
        ratio, age = self._ratios.get(kind, (math.nan, MEMORY))
        if age >= MEMORY and steps >= WORTH:
            ratio, age = _ratio(stack, networks, inputs, targets, options, loss), 0
        self._ratios[kind] = (ratio, age + 1)
        return not ratio < 1  # NaN: nothing is known


def _kind(kind: Hashable, options: Sequence[TrainingOptions]) -> Hashable:
    """Stacks of about as many networks, with minibatches of one size."""
    return kind, len(options).bit_length(), options[0].batch_size


def _ratio(
    stack: Any,
    networks: Sequence[nn.Module],
    inputs: Inputs,
    targets: Tensor,
    options: Sequence[TrainingOptions],
    loss: Loss,
) -> float:
    tried = np.unique(np.linspace(0, len(networks) - 1, min(TRIED, len(networks))).round().astype(int))
    alone = 0.0
    for one in tried:
        network = copy.deepcopy(networks[one]).train()
        alone += _seconds(step_of_network(network, inputs, targets, options[one], loss, STEPS + 1, 0))
    together = copy.deepcopy(stack)
    together.train()
    return (
        alone
        / len(tried)
        * len(networks)
        / _seconds(step_of_stack(together, inputs, targets, options, loss, STEPS + 1, 0))
    )


def _seconds(step: TrainingStep) -> float:
    """Of the steps after the first."""
    started = math.nan
    for number, rows in enumerate(step.batches()):
        if number == 1:
            started = time.perf_counter()
        step(number, rows)
    return time.perf_counter() - started
