"""Trains candidates to classify small images, and measures them."""

from __future__ import annotations

import math
import time
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from qd.candidates import Candidates, Purpose, Results, Status
from qd.metrics.active_parameters import ActiveParameters
from qd.metrics.expert_entropy import ExpertEntropy
from qd.metrics.joined import JoinedMetrics
from qd.metrics.macs import MACs
from qd.metrics.parameters import Parameters
from qd.metrics.specialisation import Specialisation
from qd.metrics.subject import Subject
from qd.training import StackSize, Trained, TrainingOptions, train_population
from qd.training.device import find_device, pin_threads
from qd.training.memory import MOST
from search_spaces import Invalid, Metric, SearchSpace

from .data import ImageData, Part, split, split_sizes
from .data.digits import Digits
from .data.fashion_mnist import FashionMNIST, find
from .data.licences import LICENCES
from .networks import NetworkEvaluator
from .task_data import Examples, PartName, Preprocessing, TaskData

MEASURED = (Parameters, ActiveParameters, MACs, ExpertEntropy, Specialisation)
"""Metrics of every network, beside those that the run file adds."""


class ImageClassification(NetworkEvaluator):
    """Trains each candidate on images and measures it on the validation split; verification scores the test split.

    Args:
        data: "digits" (scikit-learn's, 8 x 8) or "fashion_mnist" (28 x 28).
        folder: that holds Fashion-MNIST's files; None: the cache folder, then where Debian's package puts them.
        train_examples: how many of the training examples are used; None: all.
        validation_examples: how many examples are for validation; None: a fifth of those that are not for the test.
        split_seed: of the random split, at least 0; one seed, one split.
        epochs: passes over the training examples, at least 1.
        batch_size: examples in a minibatch, at least 1.
        optimiser: "adam", "adamw" or "sgd" (momentum 0.9).
        learning_rate: of the first step, above 0.
        weight_decay: at least 0.
        schedule: "constant", or "cosine" down towards 0.
        device: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU where there is one.
        bfloat16: whether forward passes run under bfloat16 autocast.
        stack: at most this many networks are trained together, 1 or more.
        stack_megabytes: memory for them; None: a quarter of what is free. Left out of account under `order: id`.
    """

    metrics = {
        "val_accuracy": Metric("", 0, 1, "maximise"),
        "val_loss": Metric("nat", 0, math.inf, "minimise"),
        **JoinedMetrics.of(*MEASURED).metrics,
        "train_seconds": Metric("s", 0, math.inf, "minimise", time=True),
    }

    def __init__(
        self,
        data: Literal["digits", "fashion_mnist"] = "digits",
        folder: str | None = None,
        train_examples: int | None = None,
        validation_examples: int | None = None,
        split_seed: int = 0,
        epochs: int = 5,
        batch_size: int = 100,
        optimiser: Literal["adam", "adamw", "sgd"] = "adam",
        learning_rate: float = 0.005,
        weight_decay: float = 0.0,
        schedule: Literal["constant", "cosine"] = "cosine",
        device: str = "auto",
        bfloat16: bool = False,
        stack: int = MOST,
        stack_megabytes: int | None = None,
    ) -> None:
        self.options = TrainingOptions(epochs, batch_size, optimiser, learning_rate, weight_decay, schedule, bfloat16)
        self.device = find_device(device)
        self.measured = JoinedMetrics.of(*MEASURED)
        if stack < 1:
            raise ValueError(f"stack: expected at least 1, got {stack}")
        if stack_megabytes is not None and stack_megabytes < 1:
            raise ValueError(f"stack_megabytes: expected at least 1, got {stack_megabytes}")
        self.stack_size = StackSize(stack, stack_megabytes * 2**20 if stack_megabytes else None)
        if split_seed < 0:
            raise ValueError(f"split_seed: expected at least 0, got {split_seed}")
        if data == "digits" and folder is not None:
            raise ValueError("folder: the digits come with scikit-learn; leave this key out")
        # Located here, not at the first evaluation, so that missing files are told at the door.
        self.data: ImageData = Digits() if data == "digits" else FashionMNIST(find(folder))
        split_sizes(self.data, train_examples, validation_examples)  # raises where there are not as many
        self.task = self.data.task
        self._split = (split_seed, train_examples, validation_examples)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the outputs stand for."""
        return self.data.class_names

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Fitted to the training examples alone."""
        images = split(self.data, *self._split).train.images.astype(np.float64)
        mean = images.mean(0)
        return Preprocessing(mean.astype(np.float32), float(np.sqrt(((images - mean) ** 2).mean())))

    def bind(self, space: SearchSpace) -> None:
        super().bind(space)
        if self.reproducible:
            self.stack_size = StackSize(self.stack_size.most, bytes=0)

    def evaluate(self, candidates: Candidates) -> Results:
        pin_threads()
        trained = train_population(
            self.space,
            list(candidates.genotypes),
            candidates.seeds.tolist(),
            self.data.task,
            *self._training,
            self.options,
            candidates.shared_seed,
            candidates.fidelity,
            self.stack_size,
        )
        return Results.join(self._row(candidates.take([row]), result) for row, result in enumerate(trained))

    def task_data(self) -> TaskData:
        seed, _, validation_examples = self._split
        name = "digits" if isinstance(self.data, Digits) else "fashion_mnist"

        def examples(part: PartName) -> Examples:
            found: Part = getattr(split(self.data, seed, None, validation_examples), part)
            return Examples(self.preprocessing.apply(found.images), found.labels)

        def score(outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
            loss = nn.functional.cross_entropy(torch.from_numpy(outputs), torch.from_numpy(labels))
            return {"val_accuracy": float((outputs.argmax(1) == labels).mean()), "val_loss": float(loss)}

        licence = LICENCES[name]
        return TaskData(name, examples, score, self.options, self.preprocessing, self.class_names, licence)

    def _row(self, candidate: Candidates, result: Trained | Invalid) -> Results:
        if isinstance(result, Invalid):
            return Results.without_metrics(candidate, Status.INVALID, str(result))
        started = time.perf_counter()
        network = result.network
        examples = self._scored(candidate.purpose)
        subject = Subject(candidate.genotypes[0], self.space, self.task, lambda: network, lambda: examples)
        measured = {**self._scores(subject), **self.measure(subject), "train_seconds": result.seconds}
        weights = {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}
        seconds = result.seconds + time.perf_counter() - started
        return Results.ok(candidate, measured, seconds, {int(candidate.evaluation_ids[0]): weights})

    def _scores(self, subject: Subject) -> dict[str, float]:
        return {
            "val_accuracy": float((subject.outputs.argmax(1) == subject.targets).double().mean()),
            "val_loss": float(nn.functional.cross_entropy(subject.outputs, subject.targets)),
        }

    def _scored(self, purpose: Purpose) -> tuple[Tensor, Tensor]:
        """The examples that a candidate is scored on; only a verification ever asks for the test split."""
        return self._test if purpose is Purpose.VERIFICATION else self._validation

    @cached_property
    def _training(self) -> tuple[Tensor, Tensor]:
        return self._tensors(split(self.data, *self._split).train)

    @cached_property
    def _validation(self) -> tuple[Tensor, Tensor]:
        return self._tensors(split(self.data, *self._split).validation)

    @cached_property
    def _test(self) -> tuple[Tensor, Tensor]:
        return self._tensors(split(self.data, *self._split).test)

    def _tensors(self, part: Part) -> tuple[Tensor, Tensor]:
        images, labels = torch.from_numpy(self.preprocessing.apply(part.images)), torch.from_numpy(part.labels)
        return images.to(self.device), labels.to(self.device)
