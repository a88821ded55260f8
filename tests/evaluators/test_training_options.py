"""Evaluators refuse options of training that do not suit their task, and hand on what early stopping judges by."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.data import Split
from evaluators.data.digits import Digits
from evaluators.supervised import Supervised
from evaluators.task_stream import TaskStream
from qd.candidates import Candidates, Purpose
from qd.errors import UsageError
from qd.registry import Registry
from qd.testing.batches import make_candidates
from qd.training import Augmentation, EarlyStopping, TrainingOptions, build_seeded, train_alone
from search_spaces import Task
from search_spaces.module_library import ModuleLibrary
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image

STOPPING = TrainingOptions(6, 20, learning_rate=0.05, schedule="constant", early_stopping=EarlyStopping(1))
AUGMENTED = TrainingOptions(2, 20, augmentation=Augmentation(crop=1, noise=0.2))
DIGITS = Digits(split=Split(train=80, validation=60))


@pytest.mark.parametrize("kind", ["supervised", "task_stream"])
def test_what_does_not_suit_the_task_is_refused_at_the_door(kind):
    with pytest.raises(UsageError, match=r"^evaluator: training.augmentation.jitter: is for series, .* Image"):
        Registry().build("evaluators", kind, {"training": {"augmentation": {"jitter": 0.1}}}, "evaluator")


def losses_alone(evaluator: Any, genotypes: list[Any], batch: Candidates, scored: str) -> list[float]:
    """Of networks that are trained one by one, and stopped by validation examples."""
    found = []
    for genotype, seed in zip(genotypes, batch.seeds.tolist(), strict=True):
        network = build_seeded(lambda genotype=genotype: evaluator.space.build(genotype, evaluator.task), seed)
        given, judges = evaluator.training_examples, evaluator._validation
        shared_seed = batch.shared_seed
        train_alone(network, given[0], given[1], evaluator.options, "cross_entropy", shared_seed, 1.0, seed, judges)
        inputs, wanted = getattr(evaluator, scored)
        with torch.no_grad():
            found.append(float(nn.functional.cross_entropy(network.eval()(inputs[:]), wanted)))
    return found


def test_the_validation_split_stops_a_training_and_the_test_split_never():
    evaluator = Supervised(DIGITS, STOPPING)
    evaluator.bind(SparseMoE())
    rng = np.random.default_rng(0)
    genotypes = [SparseMoE.genes.sample(rng) for _ in range(2)]
    for purpose, scored in ((Purpose.SEARCH, "_validation"), (Purpose.VERIFICATION, "_test")):
        batch = make_candidates(genotypes, purpose=purpose)
        losses = evaluator.evaluate(batch).metrics["val_loss"]
        assert ("_test" in vars(evaluator)) == (purpose is Purpose.VERIFICATION)
        assert losses == pytest.approx(losses_alone(evaluator, genotypes, batch, scored), rel=1e-3)


@pytest.mark.parametrize("options", [STOPPING, AUGMENTED])
def test_frozen_stages_of_a_stream_change_nothing(library, options):
    space = ModuleLibrary(str(library.folder))
    evaluator = TaskStream(train_examples=60, validation_examples=40, test_examples=30, training=options)
    evaluator.bind(space)
    rng = np.random.default_rng(0)
    genotypes = []
    while len(genotypes) < 2:
        genotype = space.genes.sample(rng)
        network = space.build(genotype, Task(Image(1, 8, 8), Classes(10)))
        if network.fixed_stages == len(genotypes) + 1 and len(network) == 4:
            genotypes.append(genotype)
    batch = make_candidates(genotypes)
    losses = evaluator.evaluate(batch).metrics["val_loss"]
    assert losses == pytest.approx(losses_alone(evaluator, genotypes, batch, "_validation"), rel=1e-4)
