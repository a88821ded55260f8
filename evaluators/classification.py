"""What evaluators that train image classifiers share: keys of the run file, splits, scores and rows."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from qd.candidates import Candidates, Purpose, Results
from qd.metrics.base import NetworkMetric
from qd.metrics.joined import JoinedMetrics
from qd.metrics.subject import Subject
from qd.training import TrainingOptions
from qd.training.device import find_device
from search_spaces import Metric, Task

from .data import ImageData, Part, Splits
from .networks import NetworkEvaluator
from .task_data import Examples, PartName, Preprocessing, TaskData


class TrainingKeys(TypedDict, total=False):
    """Keys of the run file that say how candidates are trained; each evaluator has defaults of its own.

    Attributes:
        epochs: passes over the training examples, at least 1.
        batch_size: examples in a minibatch, at least 1.
        optimiser: "adam", "adamw" or "sgd" (momentum 0.9).
        learning_rate: of the first step, above 0.
        weight_decay: at least 0.
        schedule: "constant", or "cosine" down towards 0.
        bfloat16: whether forward passes run under bfloat16 autocast.
        device: "cpu", "cuda", "cuda:1", ...; "auto", the default, takes a GPU where there is one.
    """

    epochs: int
    batch_size: int
    optimiser: Literal["adam", "adamw", "sgd"]
    learning_rate: float
    weight_decay: float
    schedule: Literal["constant", "cosine"]
    bfloat16: bool
    device: str


def declared(*measured: type[NetworkMetric]) -> dict[str, Metric]:
    """What an evaluator that measures these metrics of every network reports in all."""
    return {
        "val_accuracy": Metric("", 0, 1, "maximise"),
        "val_loss": Metric("nat", 0, math.inf, "minimise"),
        **JoinedMetrics.of(*measured).metrics,
        "train_seconds": Metric("s", 0, math.inf, "minimise", time=True),
    }


class ImageClassifier(NetworkEvaluator):
    """Trains candidates to classify images, and measures them on the validation split.

    A subclass says which examples there are (`splits`), how they are preprocessed (`fit`), and trains (`evaluate`).
    Verification alone scores the test split.

    Args:
        data: where the images come from.
        name: of what is classified, for the model card.
        task: of the networks.
        class_names: what the outputs stand for.
        measured: metrics of every network, beside those that the run file adds.
        defaults: of the training keys.
        split_seed: of the random split, at least 0.
        **training: see `TrainingKeys`.
    """

    def __init__(
        self,
        data: ImageData,
        name: str,
        task: Task,
        class_names: tuple[str, ...],
        measured: tuple[type[NetworkMetric], ...],
        defaults: TrainingOptions,
        split_seed: int,
        **training: Unpack[TrainingKeys],
    ) -> None:
        if split_seed < 0:
            raise ValueError(f"split_seed: expected at least 0, got {split_seed}")
        self.device = find_device(training.pop("device", "auto"))
        self.options = replace(defaults, **training)
        self.data, self.name, self.task, self.class_names = data, name, task, class_names
        self.measured = JoinedMetrics.of(*measured)

    @abstractmethod
    def splits(self, all_training: bool = False) -> Splits:
        """Return the examples.

        Args:
            all_training: whether all training examples are wanted, however few of them the search uses.
        """

    @abstractmethod
    def fit(self, images: np.ndarray) -> Preprocessing:
        """Return the preprocessing that suits the training images (N, channels, height, width)."""

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Fitted to the training examples alone."""
        return self.fit(self.splits().train.images)

    def task_data(self) -> TaskData:
        def examples(part: PartName) -> Examples:
            found: Part = getattr(self.splits(all_training=True), part)
            return Examples(self.preprocessing.apply(found.images), found.labels)

        def score(outputs: np.ndarray, labels: np.ndarray) -> Mapping[str, float]:
            return scores(torch.from_numpy(outputs), torch.from_numpy(labels))

        return TaskData(
            self.name, examples, score, self.options, self.preprocessing, self.class_names, self.data.licence
        )

    def row(self, candidate: Candidates, network: nn.Module, seconds: float) -> Results:
        """Measure a trained network.

        Args:
            candidate: one.
            network: trained for it.
            seconds: that training took.
        """
        started = time.perf_counter()
        examples = self._test if candidate.purpose is Purpose.VERIFICATION else self._validation
        subject = Subject(candidate.genotypes[0], self.space, self.task, lambda: network, lambda: examples)
        measured = {**scores(subject.outputs, subject.targets), **self.measure(subject), "train_seconds": seconds}
        weights = {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}
        spent = seconds + time.perf_counter() - started
        return Results.ok(candidate, measured, spent, {int(candidate.evaluation_ids[0]): weights})

    @cached_property
    def _training(self) -> tuple[Tensor, Tensor]:
        """Preprocessed images (N, *task.input_shape) and labels (N,) to train on, on the device."""
        return self._tensors(self.splits().train)

    @cached_property
    def _validation(self) -> tuple[Tensor, Tensor]:
        return self._tensors(self.splits().validation)

    @cached_property
    def _test(self) -> tuple[Tensor, Tensor]:
        return self._tensors(self.splits().test)

    def _tensors(self, part: Part) -> tuple[Tensor, Tensor]:
        images, labels = torch.from_numpy(self.preprocessing.apply(part.images)), torch.from_numpy(part.labels)
        return images.to(self.device), labels.to(self.device)


def scores(outputs: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracy and loss of outputs (B, classes) where labels (B,) are right."""
    return {
        "val_accuracy": float((outputs.argmax(1) == labels).double().mean()),
        "val_loss": float(nn.functional.cross_entropy(outputs, labels)),
    }
