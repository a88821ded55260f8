"""One step of training, the same for a network alone, for a stack, and for a training that is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.task import Loss

from .batches import minibatches
from .clipping import clipping_of_network, clipping_of_stack
from .inputs import Inputs
from .losses import Objective, auxiliary_loss
from .optimiser import make_optimiser, set_learning_rates
from .options import TrainingOptions


@dataclass(frozen=True)
class TrainingStep:
    """Learning rates, augmentation, forward pass and loss under autocast, backward pass, clipping, the update.

    Args:
        loss: inputs and targets of a minibatch → the scalar to descend.
        inputs: (N, *input_shape), all examples.
        targets: (N, ...).
        optimiser: as `make_optimiser` makes it.
        clip: scales gradients down; None: they stay as they are.
        options: how to train, in what all networks share.
        changing: what has a method `after_step(step, steps)`, which follows.
        steps: how many there will be.
        shared_seed: orders the minibatches, and of augmentation.
        done: how many of them were taken before.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    inputs: Inputs
    targets: Tensor
    optimiser: torch.optim.Optimizer
    clip: Callable[[], None] | None
    options: TrainingOptions
    changing: Sequence[Any]
    steps: int
    shared_seed: int
    done: int = 0

    def __call__(self, step: int, rows: Tensor) -> None:
        """Take one.

        Args:
            step: its number, from 0.
            rows: (B,) int64, the minibatch.
        """
        set_learning_rates(self.optimiser, step, self.steps)
        x = self.inputs[rows]
        if self.options.augmentation is not None:
            x = self.options.augmentation.apply(x, self.shared_seed, step)
        with self.options.autocast(self.inputs.device):
            total = self.loss(x, self.targets[rows])
        self.optimiser.zero_grad()
        total.backward()
        if self.clip is not None:
            self.clip()
        self.optimiser.step()
        for module in self.changing:
            module.after_step(step, self.steps)

    def batches(self) -> Iterable[Tensor]:
        """The (B,) int64 rows of every step."""
        return minibatches(len(self.inputs), self.options.batch_size, self.steps, self.shared_seed, self.inputs.device)

    def all(self, epoch_ended: Callable[[float], bool] | None = None) -> None:
        """Take all steps that are left.

        Args:
            epoch_ended: called after every epoch, and after the last step, with how many passes over the examples were
                made; where it is True, no step follows.
        """
        of_epoch = self.options.steps_of_epoch(len(self.inputs))
        with self.options.products(self.inputs.device):
            for step, rows in islice(enumerate(self.batches()), self.done, None):
                self(step, rows)
                whole = (step + 1) % of_epoch == 0 or step + 1 == self.steps
                if whole and epoch_ended is not None and epoch_ended((step + 1) / of_epoch):
                    return


def step_of_network(
    network: nn.Module,
    inputs: Inputs,
    targets: Tensor,
    options: TrainingOptions,
    loss: Loss,
    steps: int,
    shared_seed: int,
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
        shared_seed: orders the minibatches, and of augmentation.
        optimiser: default: the one that the options name.
    """
    objective = Objective.of(loss, options, targets)

    def total(x: Tensor, wanted: Tensor) -> Tensor:
        value = objective.alone(network(x), wanted)
        extra = auxiliary_loss(network)
        return value if extra is None else value + extra

    if optimiser is None:
        owned = [(tensor, [0] * len(tensor) if tensor.ndim else [0]) for tensor in network.parameters()]
        optimiser = make_optimiser(owned, [options])
    changing = [module for module in network.modules() if hasattr(module, "after_step")]
    clip = None if options.clip is None else clipping_of_network(network, options.clip)
    return TrainingStep(total, inputs, targets, optimiser, clip, options, changing, steps, shared_seed)


def step_of_stack(
    stack: Any,
    inputs: Inputs,
    targets: Tensor,
    options: Sequence[TrainingOptions],
    loss: Loss,
    steps: int,
    shared_seed: int,
) -> TrainingStep:
    """The step of K networks at once.

    Args:
        stack: K networks with their parameters loaded.
        inputs: (N, *input_shape), all examples.
        targets: (N,) int64 classes, or (N, outputs) floats.
        options: K; learning rate and decay may differ, what `TrainingOptions.shape` gives may not.
        loss: the task's loss.
        steps: how many there will be.
        shared_seed: orders the minibatches, and of augmentation.
    """
    first, owned = options[0], stack.owned()
    objective = Objective.of(loss, first, targets)

    def total(x: Tensor, wanted: Tensor) -> Tensor:
        value = objective.stacked(stack(x), wanted).sum()
        return value if stack.auxiliary_loss is None else value + stack.auxiliary_loss.sum()

    optimiser = make_optimiser(owned, options)
    clip = None if first.clip is None else clipping_of_stack(owned, len(options), first.clip)
    changing = [stack] if hasattr(stack, "after_step") else []
    return TrainingStep(total, inputs, targets, optimiser, clip, first, changing, steps, shared_seed)
