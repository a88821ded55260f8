"""Steps from tables on the device; that they are those of networks alone is in the conformance suite of stacks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from qd.testing.recording import Waits, record
from qd.testing.stacks import assert_close, make_stack, stackable
from qd.training import Augmentation, EarlyStopping, TrainingOptions, train_stack
from qd.training.device_steps import DeviceSteps, can_be_recorded, why_not
from qd.training.inputs import RowsOnDevice, draw_inputs, draw_targets
from qd.training.watch import watch_of
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.kernels import plain_torch
from search_spaces.task import Classes, Image, Task

TASK = Task(Image(1, 6, 6), Classes(3))
INPUTS = draw_inputs(TASK, 70, dtype=torch.float64)
TARGETS = draw_targets(TASK, 70, seed=1)


def stack_of(networks: int = 3) -> Any:
    space, rng = GroupedMLP(), np.random.default_rng(0)
    group = stackable(space, [space.genes.sample(rng) for _ in range(networks)])[0]
    return make_stack(space, group, TASK)[0].train()


def trained(options: TrainingOptions, steps: int, **keys: Any) -> Any:
    stack = stack_of()
    with plain_torch():  # compiled kernels are no operations of torch's, and cannot be recorded
        DeviceSteps(stack, INPUTS, TARGETS, [options] * 3, "cross_entropy", steps, 7, **keys).all()
    return stack


def assert_equal(one: Any, other: Any) -> None:
    for index in range(3):
        assert_close(one.unstack(index), other.unstack(index), 1e-11)


@pytest.mark.parametrize("augmentation", [None, Augmentation(noise=0.1)])
def test_epochs_follow_each_other_as_in_the_plain_loop(augmentation: Augmentation | None) -> None:
    options = TrainingOptions(3, 20, augmentation=augmentation)  # 70 examples: an epoch has three steps
    plain = stack_of()
    train_stack(plain, INPUTS, TARGETS, [options] * 3, "cross_entropy", 7)
    assert_equal(trained(options, 9, record=record), plain)


def test_goes_on_where_another_training_ended() -> None:
    options = TrainingOptions(3, 20)
    plain = stack_of()
    train_stack(plain, INPUTS, TARGETS, [options] * 3, "cross_entropy", 7, done=4)
    assert_equal(trained(options, 9, done=4), plain)


def test_epochs_are_judged_between_recorded_steps() -> None:
    options, validation = TrainingOptions(3, 20, early_stopping=EarlyStopping(1)), (INPUTS[:9], TARGETS[:9])
    plain, mine = stack_of(), stack_of()
    train_stack(plain, INPUTS, TARGETS, [options] * 3, "cross_entropy", 7, validation=validation)
    watch = watch_of(mine, options, "cross_entropy", validation, 3)
    assert watch is not None
    steps = DeviceSteps(mine, INPUTS, TARGETS, [options] * 3, "cross_entropy", 9, 7, record=record)
    with plain_torch():
        steps.all(watch.epoch_ended)
    watch.restore()
    assert_equal(mine, plain)


def test_examples_that_are_read_piece_by_piece_are_brought_to_the_device() -> None:
    options = TrainingOptions(1, 20)
    rows = RowsOnDevice(INPUTS.numpy(), torch.device("cpu"))
    stack = stack_of()
    DeviceSteps(stack, rows, TARGETS, [options] * 3, "cross_entropy", 3, 7).all()
    assert_equal(stack, trained(options, 3))


def test_what_cannot_be_recorded_is_trained_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(step: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    options = TrainingOptions(2, 20)
    with caplog.at_level(logging.WARNING):
        stack = trained(options, 6, record=refuse)
    assert "without a recorded step: operation not permitted when stream is capturing" in caplog.text
    assert_equal(stack, trained(options, 6))


def test_says_why_a_stack_cannot_be_recorded(caplog: pytest.LogCaptureFixture) -> None:
    stack = stack_of()
    assert why_not(stack, INPUTS) is None
    stack.captures = False
    with caplog.at_level(logging.INFO):
        assert not can_be_recorded(stack, INPUTS)
    assert "modules change while they are trained" in caplog.text
    huge = RowsOnDevice(np.lib.stride_tricks.as_strided(np.zeros(1), (2**40, 6), (0, 0)), torch.device("cpu"))
    assert "larger than a quarter" in (why_not(stack_of(), huge) or "")


def test_waits_are_noticed() -> None:
    x = torch.arange(3.0)
    with Waits() as waits:
        x.sum().item()
        x.nonzero()
        x.to("meta")
        x.exp()
    assert [found.split(" ")[0] for found in waits.found] == [
        "aten._local_scalar_dense.default",
        "aten.nonzero.default",
        "aten._to_copy.default",
    ]
