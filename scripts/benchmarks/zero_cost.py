"""What scores of untrained networks say of trained ones: Kendall's rank correlation with the validation accuracy.

Sixty random candidates of each space are trained, three times under other seeds, as `supervised` does it, and scored
untrained, each time under another seed of the score. Beside the scores stands what costs nothing at all: the logarithm
of the number of parameters. A few minutes on one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from evaluators.data.digits import Digits
from evaluators.supervised import Supervised
from qd.candidates import Candidates
from qd.metrics.gradient_norm import GradientNorm
from qd.metrics.jacobian_covariance import JacobianCovariance
from qd.metrics.subject import Subject
from qd.metrics.synflow import Synflow
from qd.metrics.zero_cost import ZeroCostMetric
from qd.training import TrainingOptions
from qd.training.device import pin_threads
from search_spaces import SearchSpace
from search_spaces.chain import Chain
from search_spaces.sparse_moe import SparseMoE

from .figures import Figure

CANDIDATES = 60
SEEDS = range(3)
SCORES = (Synflow, JacobianCovariance, GradientNorm)
TRAINING = TrainingOptions(epochs=5, batch_size=50)


@dataclass(frozen=True)
class Case:
    """A space on the digits."""

    name: str
    space: SearchSpace


def figures() -> list[Figure]:
    """The correlations of each case, and what scores cost beside a training."""
    pin_threads()
    cases = [
        Case("chain of vectors", Chain("vector", width=(16, 32, 64), depth=(1, 4))),
        Case("chain of images", Chain("image", width=(8, 16), depth=(1, 3))),
        Case("sparse_moe", SparseMoE()),
    ]
    found: list[Figure] = []
    for case in cases:
        found += (measured := _measure(case))
        print(*measured, sep="\n", file=sys.stderr, flush=True)
    return found


def _measure(case: Case) -> list[Figure]:
    rng = np.random.default_rng(0)
    genotypes = [case.space.genes.sample(rng) for _ in range(CANDIDATES)]
    evaluator = Supervised(Digits(), TRAINING)
    evaluator.bind(case.space)
    correlations: dict[str, list[float]] = {"log parameters": []}
    shares: dict[str, list[float]] = {}
    for seed in SEEDS:
        ids = np.arange(1, CANDIDATES + 1)
        started = time.process_time()
        results = evaluator.evaluate(Candidates(ids, ids, 1000 * seed + ids, seed, genotypes))
        spent = time.process_time() - started
        accuracy = results.metrics["val_accuracy"]
        correlations["log parameters"].append(_correlation(np.log(results.metrics["parameters"]), accuracy))
        for kind in SCORES:
            score = kind(seed=seed)
            started = time.process_time()
            values = _scores(score, case.space, evaluator, genotypes)
            shares.setdefault(score.name, []).append((time.process_time() - started) / spent)
            correlations.setdefault(score.name, []).append(_correlation(values, accuracy))
    return [
        *(Figure(f"{case.name}: {name}", samples, "Kendall's tau") for name, samples in correlations.items()),
        *(Figure(f"{case.name}: cost of {name}", samples, "of a training") for name, samples in shares.items()),
    ]


def _scores(score: ZeroCostMetric, space: SearchSpace, evaluator: Supervised, genotypes: Sequence[Any]) -> np.ndarray:
    task = evaluator.data.task

    def subject(genotype: Any) -> Subject:
        return Subject(genotype, space, task, lambda: space.build(genotype, task), lambda: evaluator._validation)

    return np.array([score.measure(subject(genotype))[score.name] for genotype in genotypes])


def _correlation(values: np.ndarray, accuracy: np.ndarray) -> float:
    tau: Any = stats.kendalltau(values, accuracy)
    return float(tau.statistic)
