"""The plain loop: one network, one optimiser. It defines what a trained candidate is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from search_spaces.task import Loss

from ..precision import single_precision
from .batches import minibatches
from .inputs import Inputs
from .options import TrainingOptions
from .step import step_of_network


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
) -> None:
    """Train a network in place, and leave it in training mode.

    A module of the network may have an attribute `auxiliary_loss`: where it is a scalar tensor after the forward pass,
    it is added to the loss. A module's method `after_step(step, steps)`, if it has one, is called after each step.

    Args:
        network: (B, *shape) to (B, outputs).
        inputs: (N, *shape), of the network's type.
        targets: (N,) int64 classes, or (N, outputs) floats for "mean_squared_error".
        options: how to train.
        loss: the task's loss.
        shared_seed: orders the minibatches.
        fidelity: share of the epochs, in (0, 1].
        seed: of what the network itself draws while it is trained (dropout, say), in [0, 2**53).
    """
    network.train()
    steps = options.steps(len(inputs), fidelity)
    take = step_of_network(network, inputs, targets, options, loss, steps)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for step, rows in enumerate(minibatches(len(inputs), options.batch_size, steps, shared_seed, inputs.device)):
            take(step, rows)
