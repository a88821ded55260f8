"""What scores from shared weights say: rank correlations with training alone, before and after fine-tuning.

Of each space 30 random networks are trained alone, twice, from different seeds; judged by inherited weights from one
bank; fine-tuned from there for a ninth of the epochs; and, for comparison, trained alone for a ninth. Kendall's τ is
taken with the first training alone, over the accuracy on validation examples. Three seeds, each with its own networks
and bank; a few minutes.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau

from evaluators.data import DataSet
from evaluators.data.digits import Digits
from evaluators.data.optical_digits import OpticalDigits
from evaluators.data.split import Split
from evaluators.supernet import Supernet
from evaluators.supervised import Supervised
from qd.candidates import Candidates
from qd.training import TrainingOptions
from qd.training.supernet import BankOptions
from search_spaces import Genotype, SearchSpace
from search_spaces.chain import Chain
from search_spaces.shelf.dense import Dense
from search_spaces.shelf.gated_unit import GatedUnit
from search_spaces.shelf.mixture import Mixture
from search_spaces.shelf.pre_activation import PreActivation
from search_spaces.sparse_moe import SparseMoE

from .figures import Figure

NETWORKS, SEEDS, SHARE = 30, 3, 1 / 9


class Case(NamedTuple):
    """A space, the data, how networks are trained, and how the bank is."""

    space: SearchSpace
    data: DataSet
    training: TrainingOptions
    bank_epochs: int


CASES = {
    "sparse_moe on digits": Case(SparseMoE(), Digits(), TrainingOptions(9, 50, learning_rate=0.003), 45),
    "chain on optical digits": Case(
        Chain("vector", (Dense(), GatedUnit(), Mixture(), PreActivation()), (16, 32), (1, 4)),
        OpticalDigits(split=Split(train=1000, validation=1000)),
        TrainingOptions(9, 50, learning_rate=0.003),
        45,
    ),
}


def figures() -> list[Figure]:
    """Rank correlations, accuracies and seconds of every case."""
    found = []
    for name, case in CASES.items():
        rows = [_measured(case, seed) for seed in range(SEEDS)]
        found += [Figure(f"{name}: {key}", [row[key] for row in rows], _unit(key)) for key in rows[0]]
    return found


def _measured(case: Case, seed: int) -> dict[str, float]:
    genes = case.space.genes
    genotypes = list(genes.trees(genes.sample_many(NETWORKS, np.random.default_rng(seed))))
    bank = Supernet(case.data, case.training, fine_tune=SHARE, bank=BankOptions(case.bank_epochs, seed=seed))
    bank.bind(case.space)
    alone = Supervised(case.data, case.training)
    alone.bind(case.space)
    started = time.perf_counter()
    numbers = len(bank.bank)
    bank_seconds = time.perf_counter() - started
    first, seconds = _scores(alone, genotypes, 2 * seed)
    again, _ = _scores(alone, genotypes, 2 * seed + 1)
    short, short_seconds = _scores(alone, genotypes, 2 * seed, SHARE)
    tuned, tuned_seconds = _scores(bank, genotypes, 2 * seed)
    truth = first["val_accuracy"]
    return {
        "τ of inherited weights": _tau(tuned["inherited_accuracy"], truth),
        "τ after fine-tuning for a ninth": _tau(tuned["val_accuracy"], truth),
        "τ of a ninth alone": _tau(short["val_accuracy"], truth),
        "τ of parameters": _tau(first["parameters"], truth),
        "τ of another seed alone": _tau(again["val_accuracy"], truth),
        "accuracy alone": truth.mean(),
        "accuracy of inherited weights": tuned["inherited_accuracy"].mean(),
        "accuracy after fine-tuning for a ninth": tuned["val_accuracy"].mean(),
        "accuracy of a ninth alone": short["val_accuracy"].mean(),
        "share of parameters inherited": tuned["inherited_share"].mean(),
        "thousand numbers in the bank": numbers / 1000,
        "seconds of the bank": bank_seconds,
        "seconds of 30 alone": seconds,
        "seconds of 30 for a ninth alone": short_seconds,
        "seconds of 30 inherited and fine-tuned": tuned_seconds,
    }


def _scores(
    evaluator: Supervised, genotypes: list[Genotype], seed: int, fidelity: float = 1.0
) -> tuple[dict[str, np.ndarray], float]:
    """Metrics by genotype, and how long it took."""
    numbers, started = np.arange(len(genotypes)), time.perf_counter()
    results = evaluator.evaluate(Candidates(numbers, numbers, 1000 * seed + numbers, seed, genotypes, fidelity))
    order = np.argsort(results.evaluation_ids)
    return {name: column[order] for name, column in results.metrics.items()}, time.perf_counter() - started


def _tau(scores: np.ndarray, truth: np.ndarray) -> float:
    return float(np.asarray(kendalltau(scores, truth))[0])


def _unit(key: str) -> str:
    return "s" if key.startswith("seconds") else ""
