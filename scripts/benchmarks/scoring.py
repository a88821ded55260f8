"""What scoring takes of a chunk: all networks of a stack at once, against each network alone, on one thread.

The same 32 random candidates are trained, and scored on the validation examples either way, in turns. Scoring is all
that follows training: outputs, scores, the use of experts, every metric, and the weights that are handed on. Alone, a
network is run, and its multiply-accumulates are counted in it. Seconds are the processor's.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from evaluators.data import Split
from evaluators.data.digits import Digits
from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.supervised import Supervised
from qd.candidates import Candidates, Purpose
from qd.training import TrainingOptions
from qd.training.device import pin_threads
from search_spaces import SearchSpace
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.sparse_moe import SparseMoE

from .figures import Figure

ROUNDS = 5
CANDIDATES = 32


class Timed(Supervised):
    """Knows how long training took, and what followed."""

    together = True

    def scorer(self, purpose: Purpose) -> Callable[[Any, Sequence[nn.Module]], Any]:
        score = super().scorer(purpose)

        def timed(stack: Any, networks: Sequence[nn.Module]) -> Any:
            started = time.process_time()
            found = score(stack, networks) if self.together else [None] * len(networks)
            self.scoring += time.process_time() - started
            return found

        return timed

    def train(self, space: SearchSpace, candidates: Candidates) -> Any:
        self.scoring = 0.0
        started = time.process_time()
        found = super().train(space, candidates)
        self.trained = time.process_time()
        self.training = self.trained - started - self.scoring
        return found


def figures() -> list[Figure]:
    """Milliseconds of scoring a candidate, and its share of a chunk, either way."""
    pin_threads()
    fashion = FashionMNIST(split=Split(train=10_000, validation=5_000))
    digits, images = TrainingOptions(10, 50), TrainingOptions(2, 128)
    cases = [
        ("grouped_mlp, digits", GroupedMLP(), Timed(Digits(), digits)),
        ("sparse_moe, digits", SparseMoE(), Timed(Digits(), digits)),
        ("grouped_mlp, Fashion-MNIST", GroupedMLP(), Timed(fashion, images)),
        ("sparse_moe, Fashion-MNIST", SparseMoE(), Timed(fashion, images)),
    ]
    found: list[Figure] = []
    for name, space, evaluator in cases:
        found += (measured := _measure(name, space, evaluator))
        print(*measured, sep="\n", file=sys.stderr, flush=True)
    return found


def _measure(name: str, space: SearchSpace, evaluator: Timed) -> list[Figure]:
    evaluator.reproducible = True  # whatever can be stacked is
    evaluator.bind(space)

    class Counted(type(space)):
        def costs(self, genotype: Any, task: Any) -> None:
            return None

    counted = copy.copy(space)
    counted.__class__ = Counted
    rng = np.random.default_rng(0)
    ids = np.arange(1, CANDIDATES + 1)
    batch = Candidates(ids, ids, ids, 0, [space.genes.sample(rng) for _ in ids])
    evaluator.evaluate(batch)  # compiles kernels
    seconds: dict[bool, list[float]] = {False: [], True: []}
    shares: dict[bool, list[float]] = {False: [], True: []}
    for number in range(ROUNDS):
        for together in (False, True) if number % 2 else (True, False):
            evaluator.together, evaluator.space = together, space if together else counted
            evaluator.evaluate(batch)
            scoring = evaluator.scoring + time.process_time() - evaluator.trained
            seconds[together].append(1000 * scoring / CANDIDATES)
            shares[together].append(100 * scoring / (scoring + evaluator.training))
    found = []
    for together, how in ((False, "each network alone"), (True, "a stack at once")):
        found += [
            Figure(f"{name}, {how}: scoring", seconds[together], "ms a candidate"),
            Figure(f"{name}, {how}: its share of the chunk", shares[together], "%"),
        ]
    ratios = [alone / stack for alone, stack in zip(seconds[False], seconds[True], strict=True)]
    return [*found, Figure(f"{name}: scoring alone / a stack at once", [statistics.median(ratios)], "×")]
