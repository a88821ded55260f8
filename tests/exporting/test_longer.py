"""A long training is the plain loop with every option, also where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.task_data import Examples
from qd.exporting.formats import as_function
from qd.exporting.longer import LongTraining, Schedule
from qd.testing.stacks import assert_close
from qd.training import Augmentation, EarlyStopping, TrainingOptions, build_seeded, train_alone

SHARED_SEED, SEED = 5, 7
ALL = TrainingOptions(
    epochs=8,
    batch_size=20,
    learning_rate=0.1,
    schedule="constant",
    label_smoothing=0.1,
    clip=0.5,
    class_weights="balanced",
    augmentation=Augmentation(crop=1, flip=True, noise=0.1),
    early_stopping=EarlyStopping(2),
)


def examples(size: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.normal(size=(size, 1, 4, 4)).astype(np.float32), rng.integers(0, 3, size))


def build() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))


def start(checkpoint: Path, options: TrainingOptions) -> LongTraining:
    schedule = Schedule(options, "cross_entropy", SHARED_SEED, SEED)
    network = build_seeded(build, SEED)
    return LongTraining(network, examples(60, 0), schedule, checkpoint, {"options": repr(options)}, examples(30, 1))


def two_epochs(training: LongTraining) -> Callable[[], bool]:
    """Interrupts it after two more."""
    ends = training.epoch + 2
    return lambda: training.epoch >= ends


@pytest.mark.parametrize("options", [ALL, TrainingOptions(6, 20, early_stopping=EarlyStopping(6)), TrainingOptions(2)])
def test_it_equals_the_plain_loop_also_in_parts(tmp_path, options):
    checkpoint, parts, done = tmp_path / "checkpoint", 0, False
    training = start(checkpoint, options)
    while not done:
        training = start(checkpoint, options)
        done = training.run(lambda: 0.0, lambda _: None, two_epochs(training))
        parts += 1
    network = build_seeded(build, SEED)
    inputs, targets, others, wanted = map(torch.from_numpy, (*examples(60, 0), *examples(30, 1)))
    train_alone(network, inputs, targets, options, "cross_entropy", SHARED_SEED, 1.0, SEED, (others, wanted))
    assert_close(training.best, network.state_dict(), 0.0)
    assert parts == -(-training.epoch // 2)
    if options is ALL:
        assert training.epoch == training.best_epoch + 2 < 8 and training.stopped
    again = start(checkpoint, options)  # killed before its export was there: nothing is left to train
    assert again.run(lambda: 0.0, lambda _: pytest.fail("an epoch more"), lambda: False)
    assert_close(again.best, network.state_dict(), 0.0)


def test_without_early_stopping_the_score_says_which_epoch_is_kept(tmp_path):
    training = start(tmp_path / "checkpoint", TrainingOptions(4, 20))
    scores = iter([0.1, 0.5, 0.5, 0.2])
    assert training.run(lambda: next(scores), lambda _: None, lambda: False)
    assert (training.epoch, training.best_epoch, training.stopped) == (4, 3, False)


def test_a_network_is_run_on_its_own_device():
    network = nn.Linear(3, 2, device="meta")  # torch refuses to mix it with tensors of the CPU
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):  # the outputs are on it
        as_function(network)(np.zeros((4, 3), np.float32))
    assert as_function(nn.Flatten())(np.zeros((4, 3, 2), np.float32)).shape == (4, 6)
