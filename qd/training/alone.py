"""The plain loop: one network, one optimiser. It defines what a trained candidate is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from search_spaces.task import Loss

from ..candidates import Curve
from ..precision import single_precision
from .inputs import Inputs
from .options import TrainingOptions
from .step import step_of_network
from .watch import Examples, Scorer, watch_of


def build_seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Call `build` with torch's global CPU generator at `seed`, in [0, 2**53); the generator is left as it was.

    The network is given single precision, whatever its own was.
    """
    with torch.random.fork_rng(devices=[]), single_precision():
        torch.default_generator.manual_seed(seed)
        return build().float()


def train_alone(
    network: nn.Module,
    inputs: Inputs,
    targets: Tensor,
    options: TrainingOptions,
    loss: Loss,
    shared_seed: int,
    fidelity: float = 1.0,
    seed: int = 0,
    validation: Examples | None = None,
    done: int = 0,
    scores: Scorer | None = None,
) -> Curve | None:
    """Train a network in place, and leave it in training mode; under `early_stopping` it has its best epoch's weights.

    A module of the network may have an attribute `auxiliary_loss`: where it is a scalar tensor after the forward pass,
    it is added to the loss. A module's method `after_step(step, steps)`, if it has one, is called after each step.

    Args:
        network: (B, *shape) to (B, outputs).
        inputs: (N, *shape), of the network's type.
        targets: (N,) int64 classes, or (N, outputs) floats for "mean_squared_error".
        options: how to train.
        loss: the task's loss.
        shared_seed: orders the minibatches, and of augmentation.
        fidelity: share of the epochs, in (0, 1].
        seed: of what the network itself draws while it is trained (dropout, say), in [0, 2**53).
        validation: inputs and targets that epochs are judged by; None: there is neither `early_stopping` nor a curve.
        done: steps that were taken before: it goes on with the next, by an optimiser that starts anew.
        scores: of the learning curve; None: none is kept.

    Returns:
        The scores on the validation examples after every epoch, and at the end; None where there are no `scores`.
    """
    network.train()
    steps = options.steps(len(inputs), fidelity)
    step = replace(step_of_network(network, inputs, targets, options, loss, steps, shared_seed), done=done)
    watch = watch_of(network, options, loss, validation, scores=scores)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed + done)
        step.all(watch and watch.epoch_ended)
    if watch is None:
        return None
    watch.restore()
    return watch.curves()[0]
