"""One step of training, the same for a network alone, for a stack, and for a training that is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.task import Loss

from .inputs import Inputs
from .losses import auxiliary_loss, loss_function, stacked_loss
from .optimiser import make_optimiser, set_learning_rates
from .options import TrainingOptions


@dataclass(frozen=True)
class TrainingStep:
    """Learning rates, forward pass and loss under autocast, backward pass, the optimiser's step, and what follows it.

    Args:
        loss: the rows of a minibatch (B,) → the scalar to descend.
        optimiser: as `make_optimiser` makes it.
        options: how to train, in what all networks share.
        device: of the examples.
        changing: what has a method `after_step(step, steps)`.
        steps: how many there will be.
    """

    loss: Callable[[Tensor], Tensor]
    optimiser: torch.optim.Optimizer
    options: TrainingOptions
    device: torch.device
    changing: Sequence[Any]
    steps: int

    def __call__(self, step: int, rows: Tensor) -> None:
        """Take one.

        Args:
            step: its number, from 0.
            rows: (B,) int64, the minibatch.
        """
        set_learning_rates(self.optimiser, step, self.steps)
        with self.options.autocast(self.device):
            total = self.loss(rows)
        self.optimiser.zero_grad()
        total.backward()
        self.optimiser.step()
        for module in self.changing:
            module.after_step(step, self.steps)


def step_of_network(
    network: nn.Module,
    inputs: Inputs,
    targets: Tensor,
    options: TrainingOptions,
    loss: Loss,
    steps: int,
    optimiser: torch.optim.Optimizer | None = None,
) -> TrainingStep:
    """The step of one network; see `train_alone` for what its modules may have.

    Args:
        network: (B, *shape) to (B, outputs).
        inputs: (N, *shape), all examples.
        targets: (N,) int64 classes, or (N, outputs) floats for "mean_squared_error".
        options: how to train.
        loss: the task's loss.
        steps: how many there will be.
        optimiser: default: the one that the options name.
    """
    task_loss = loss_function(loss)

    def total(rows: Tensor) -> Tensor:
        value = task_loss(network(inputs[rows]), targets[rows])
        extra = auxiliary_loss(network)
        return value if extra is None else value + extra

    if optimiser is None:
        owned = [(tensor, [0] * len(tensor) if tensor.ndim else [0]) for tensor in network.parameters()]
        optimiser = make_optimiser(owned, [options])
    changing = [module for module in network.modules() if hasattr(module, "after_step")]
    return TrainingStep(total, optimiser, options, inputs.device, changing, steps)


def step_of_stack(
    stack: Any, inputs: Inputs, targets: Tensor, options: Sequence[TrainingOptions], loss: Loss, steps: int
) -> TrainingStep:
    """The step of K networks at once.

    Args:
        stack: K networks with their parameters loaded.
        inputs: (N, *input_shape), all examples.
        targets: (N,) int64 classes, or (N, outputs) floats.
        options: K; learning rate and decay may differ, what `TrainingOptions.shape` gives may not.
        loss: the task's loss.
        steps: how many there will be.
    """

    def total(rows: Tensor) -> Tensor:
        value = stacked_loss(stack(inputs[rows]), targets[rows], loss).sum()
        return value if stack.auxiliary_loss is None else value + stack.auxiliary_loss.sum()

    changing = [stack] if hasattr(stack, "after_step") else []
    return TrainingStep(total, make_optimiser(stack.owned(), options), options[0], inputs.device, changing, steps)
