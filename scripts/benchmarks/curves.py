"""What learning curves cost: the same candidates trained with and without, in turns, on one thread."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from evaluators.data import Split
from evaluators.data.digits import Digits
from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.supervised import Supervised
from qd.candidates import Candidates
from qd.store.curves import pack_curve
from qd.training import TrainingOptions
from qd.training.device import pin_threads
from search_spaces import SearchSpace
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.sparse_moe import SparseMoE

from .figures import Figure

ROUNDS = 5
CANDIDATES = 32


def figures() -> list[Figure]:
    """The ratio of CPU time with and without, and how much a curve takes in the log."""
    pin_threads()
    fashion = FashionMNIST(split=Split(train=10_000, validation=5_000))
    cases = [
        ("grouped_mlp, digits", GroupedMLP(), Supervised(Digits(), TrainingOptions(10, 50))),
        ("sparse_moe, digits", SparseMoE(), Supervised(Digits(), TrainingOptions(10, 50))),
        ("sparse_moe, Fashion-MNIST", SparseMoE(), Supervised(fashion, TrainingOptions(2, 128))),
    ]
    found: list[Figure] = []
    for name, space, evaluator in cases:
        found += (measured := _measure(name, space, evaluator))
        print(*measured, sep="\n", file=sys.stderr, flush=True)
    return found


def _measure(name: str, space: SearchSpace, evaluator: Supervised) -> list[Figure]:
    evaluator.reproducible = True  # whatever can be stacked is
    evaluator.bind(space)
    rng = np.random.default_rng(0)
    ids = np.arange(1, CANDIDATES + 1)
    batch = Candidates(ids, ids, ids, 0, [space.genes.sample(rng) for _ in ids])
    plain = evaluator.options
    evaluator.evaluate(batch)  # compiles kernels
    seconds: dict[bool, list[float]] = {False: [], True: []}
    lengths: list[int] = []
    for number in range(ROUNDS):
        for curve in (False, True) if number % 2 else (True, False):
            evaluator.options = replace(plain, curve=curve)
            started = time.process_time()
            results = evaluator.evaluate(batch)
            seconds[curve].append(time.process_time() - started)
            if curve:
                lengths = [len(pack_curve(one)) for one in results.curves.values()]
    ratios = [with_curve / without for with_curve, without in zip(seconds[True], seconds[False], strict=True)]
    epochs = f"{plain.epochs} epochs"
    return [
        Figure(f"{name}, {epochs}: with curves / without", ratios, "×"),
        Figure(f"{name}, {epochs}: a curve in the log", [float(np.mean(lengths))], "bytes"),
    ]
