"""The plain loop: one network, one optimiser. It defines what a trained candidate is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .batches import minibatches
from .optimiser import make_optimiser, set_learning_rates
from .options import TrainingOptions

Loss = Literal["cross_entropy", "mean_squared_error"]


def build_seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Call `build` with torch's global CPU generator at `seed`, in [0, 2**53); the generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build()


def loss_function(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """The task's loss as a function of outputs (B, O) and targets, its mean over the minibatch."""
    return nn.functional.cross_entropy if loss == "cross_entropy" else nn.functional.mse_loss


def train_alone(
    network: nn.Module,
    inputs: Tensor,
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
    task_loss = loss_function(loss)
    changing: list[Any] = [module for module in network.modules() if hasattr(module, "after_step")]
    parameters = list(network.parameters())
    optimiser = make_optimiser(
        [(tensor, [0] * len(tensor) if tensor.ndim else [0]) for tensor in parameters], [options]
    )
    steps = options.steps(len(inputs), fidelity)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for step, rows in enumerate(minibatches(len(inputs), options.batch_size, steps, shared_seed, inputs.device)):
            set_learning_rates(optimiser, step, steps)
            with options.autocast(inputs.device):
                total = task_loss(network(inputs[rows]), targets[rows])
                extra = auxiliary_loss(network)
                if extra is not None:
                    total = total + extra
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            for module in changing:
                module.after_step(step, steps)


def auxiliary_loss(network: nn.Module) -> Tensor | None:
    """The sum of what the network's modules hold as `auxiliary_loss` after a forward pass; None where there is none."""
    losses = [getattr(module, "auxiliary_loss", None) for module in network.modules()]
    given = [loss for loss in losses if loss is not None]
    return torch.stack(given).sum() if given else None
