"""How a network is trained."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch

from search_spaces.task import Classes, Task, Values

from .augmentation import Augmentation
from .device import float32_products
from .stopping import EarlyStopping

Optimiser = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine"]
Precision = Literal["float32", "tf32", "bfloat16"]
ClassWeights = Literal["none", "balanced"]
MOMENTUM = 0.9
"""Momentum of "sgd"; Adam and AdamW use torch's defaults, betas (0.9, 0.999) and epsilon 1e-8."""


@dataclass(frozen=True)
class TrainingOptions:
    """How long, in which steps, and by which optimiser a network is trained; in a run file the key `training`.

    Args:
        epochs: passes over the training examples, at least 1.
        batch_size: examples in a minibatch, at least 1.
        optimiser: "adam", "adamw" or "sgd" (momentum 0.9).
        learning_rate: of the first step, above 0.
        weight_decay: at least 0; decoupled in "adamw", added to the gradient in the others, as torch has it.
        schedule: "constant", or "cosine" from the learning rate down towards 0 over all steps.
        precision: "float32"; "tf32": on a GPU products of float32 matrices round their factors to ten bits, elsewhere
            the same as float32; or "bfloat16": forward passes run under autocast.
        label_smoothing: this share of each target is spread evenly over all classes, or tokens; in [0, 1).
        clip: each network's gradient is scaled down to this norm where it is longer, above 0; None: it never is.
        class_weights: "none", or "balanced": examples of each class weigh as much as those of every other.
        early_stopping: ends the training where validation examples are told no better; None: after all epochs.
        augmentation: changes training images or series at random; None: they are seen as they are.
        curve: whether the scores after every epoch are kept, as a learning curve in the log.
    """

    epochs: int = 5
    batch_size: int = 100
    optimiser: Optimiser = "adam"
    learning_rate: float = 0.005
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    precision: Precision = "float32"
    label_smoothing: float = 0.0
    clip: float | None = None
    class_weights: ClassWeights = "none"
    early_stopping: EarlyStopping | None = None
    augmentation: Augmentation | None = None
    curve: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs: expected at least 1, got {self.epochs}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {self.batch_size}")
        if self.optimiser not in get_args(Optimiser):
            raise ValueError(f"optimiser: expected one of {', '.join(get_args(Optimiser))}, got {self.optimiser!r}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate: expected a number above 0, got {self.learning_rate}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay: expected a number of at least 0, got {self.weight_decay}")
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule: expected one of {', '.join(get_args(Schedule))}, got {self.schedule!r}")
        if self.precision not in get_args(Precision):
            raise ValueError(f"precision: expected one of {', '.join(get_args(Precision))}, got {self.precision!r}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing: expected a number in [0, 1), got {self.label_smoothing}")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"clip: expected a number above 0, got {self.clip}")
        if self.class_weights not in get_args(ClassWeights):
            raise ValueError(
                f"class_weights: expected one of {', '.join(get_args(ClassWeights))}, got {self.class_weights!r}"
            )

    def check_task(self, task: Task) -> None:
        """Refuse, at the door, what does not suit a task.

        Raises:
            ValueError: names the option.
        """
        if self.label_smoothing and isinstance(task.output, Values):
            raise ValueError(
                f"training.label_smoothing: is for classes and tokens, and the outputs of this task are {task.output};"
                " leave it out"
            )
        if self.class_weights != "none" and not isinstance(task.output, Classes):
            raise ValueError(
                f"training.class_weights: is for classes, and the outputs of this task are {task.output}; leave it out"
            )
        if self.augmentation is not None:
            self.augmentation.check_input(task.input)

    def with_overrides(self, overrides: Mapping[str, float]) -> TrainingOptions:
        """The same with other values of some options, checked again."""
        return replace(self, **overrides) if overrides else self

    def shape(self) -> Hashable:
        """What must be equal in a stack; learning rate and weight decay may differ."""
        return replace(self, learning_rate=1.0, weight_decay=0.0)

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """The context of a forward pass."""
        return torch.autocast(device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()

    def products(self, device: torch.device) -> AbstractContextManager[Any]:
        """The context of all steps, forwards and backwards: how products of matrices round on a card."""
        return float32_products(device, "tf32" if self.precision == "tf32" else "ieee")

    def steps(self, examples: int, fidelity: float = 1.0) -> int:
        """Number of minibatches at a `fidelity` in (0, 1]: that share of the epochs, and at least one step."""
        return max(1, round(fidelity * self.epochs * self.steps_of_epoch(examples)))

    def steps_of_epoch(self, examples: int) -> int:
        """Number of minibatches in one pass over the examples."""
        return max(1, examples // self.batch_size)

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The learning rate of one step, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
