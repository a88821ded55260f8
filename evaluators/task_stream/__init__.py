"""A sequence of image tasks that share structure; trains and measures candidates on one of them."""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from qd.candidates import Candidates, Purpose, Results, Status
from qd.metrics.joined import JoinedMetrics
from qd.metrics.macs import MACs
from qd.metrics.parameters import Parameters
from qd.metrics.subject import Subject
from qd.training import TrainingOptions, build_seeded, train_alone
from qd.training.device import find_device, pin_threads
from search_spaces import Genotype, Invalid, Metric
from search_spaces.library.composition import Composition
from search_spaces.module_library import ModuleLibrary

from ..data.licences import LICENCES
from ..networks import NetworkEvaluator
from ..task_data import Examples, PartName, Preprocessing, TaskData
from .tasks import Examples as Images
from .tasks import ImageTask, Sizes, TaskParts, load, locate, task_of

if TYPE_CHECKING:
    from qd.surrogates.base import Surrogate

KEPT = 32
"""Outputs of frozen stages for all training examples are kept for this many different rows of stages."""
ROWS = 500
"""Examples that go through frozen stages at once."""

MEASURED = (Parameters, MACs)
"""Metrics of every network, beside those that the run file adds."""


class TaskStream(NetworkEvaluator):
    """Trains each candidate on one task of a sequence and measures it on its validation examples.

    `qd stream` goes through the sequence, a run for each task, and lets the library grow in between. Verification alone
    scores the test examples. What frozen stages give for the training examples is computed once, as it does not change.

    Args:
        tasks: the sequence; see `evaluators/task_stream/tasks.py` for what a task may be.
        index: of the task at hand, from 0.
        train_examples: for training.
        validation_examples: for validation.
        test_examples: for tests, at most.
        shrink: images are averaged over squares of this many pixels a side.
        split_seed: of the random split, at least 0.
        mnist_folder: that holds MNIST's files; None: the cache folder.
        fashion_mnist_folder: that holds Fashion-MNIST's files; None: the cache folder, then where Debian puts them.
        epochs: passes over the training examples, at least 1.
        batch_size: examples in a minibatch, at least 1.
        optimiser: "adam", "adamw" or "sgd" (momentum 0.9).
        learning_rate: of the first step, above 0.
        weight_decay: at least 0.
        schedule: "constant", or "cosine" down towards 0.
        device: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU where there is one.
    """

    metrics = {
        "val_accuracy": Metric("", 0, 1, "maximise"),
        "val_loss": Metric("nat", 0, math.inf, "minimise"),
        **JoinedMetrics.of(*MEASURED).metrics,
        "train_seconds": Metric("s", 0, math.inf, "minimise", time=True),
    }

    def __init__(
        self,
        tasks: tuple[ImageTask, ...] = (ImageTask("digits"),),
        index: int = 0,
        train_examples: int = 1000,
        validation_examples: int = 350,
        test_examples: int = 10_000,
        shrink: int = 1,
        split_seed: int = 0,
        mnist_folder: str | None = None,
        fashion_mnist_folder: str | None = None,
        epochs: int = 3,
        batch_size: int = 50,
        optimiser: Literal["adam", "adamw", "sgd"] = "adam",
        learning_rate: float = 0.003,
        weight_decay: float = 0.0,
        schedule: Literal["constant", "cosine"] = "cosine",
        device: str = "auto",
    ) -> None:
        if not 0 <= index < len(tasks):
            raise ValueError(f"index: expected a number below {len(tasks)}, the number of tasks, got {index}")
        given = {"train_examples": train_examples, "validation_examples": validation_examples, "shrink": shrink}
        for name, value in {**given, "test_examples": test_examples}.items():
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if split_seed < 0:
            raise ValueError(f"split_seed: expected at least 0, got {split_seed}")
        self.options = TrainingOptions(epochs, batch_size, optimiser, learning_rate, weight_decay, schedule)
        self.device = find_device(device)
        self.measured = JoinedMetrics.of(*MEASURED)
        self.tasks, self.image_task = tasks, tasks[index]
        self.task = task_of(self.image_task, shrink)
        if min(self.task.input_shape) < 1:
            raise ValueError(f"shrink: nothing is left of the images of {self.image_task.data}, got {shrink}")
        # Located here, not at the first evaluation, so that missing files are told at the door.
        self._data = locate(self.image_task.data, mnist_folder, fashion_mnist_folder)
        self._sizes = Sizes(train_examples, validation_examples, test_examples, shrink, split_seed)
        self._kept: OrderedDict[str, Tensor] = OrderedDict()

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Fitted to the training examples alone: one mean and one scale for all pixels, whatever the image's size."""
        assert self.task is not None
        images = self._parts.train.images
        return Preprocessing(np.full(self.task.input_shape, images.mean(), np.float32), float(images.std()))

    def evaluate(self, candidates: Candidates) -> Results:
        pin_threads()
        return Results.join(self._row(candidates.take([row]), candidates) for row in range(len(candidates)))

    def task_data(self) -> TaskData:
        def examples(part: PartName) -> Examples:
            found: Images = getattr(self._parts, part)
            return Examples(self.preprocessing.apply(found.images), found.labels)

        def score(outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
            loss = nn.functional.cross_entropy(torch.from_numpy(outputs), torch.from_numpy(labels))
            return {"val_accuracy": float((outputs.argmax(1) == labels).mean()), "val_loss": float(loss)}

        task = self.image_task
        return TaskData(
            task.name, examples, score, self.options, self.preprocessing, task.class_names, LICENCES[task.data]
        )

    def surrogate(self) -> Surrogate | None:
        if not isinstance(self.space, ModuleLibrary) or self.space.library is None:
            return None
        from .surrogate import CompositionSurrogate

        assert self.task is not None
        return CompositionSurrogate(self.space, self.task, *self._training)

    def _row(self, candidate: Candidates, batch: Candidates) -> Results:
        started = time.perf_counter()
        genotype = candidate.genotypes[0]
        try:
            network, seconds = self._train(genotype, int(candidate.seeds[0]), batch.shared_seed, batch.fidelity)
        except Invalid as error:
            return Results.without_metrics(candidate, Status.INVALID, str(error))
        examples = self._test if candidate.purpose is Purpose.VERIFICATION else self._validation
        subject = Subject(genotype, self.space, self.task, lambda: network, lambda: examples)
        measured = {
            "val_accuracy": float((subject.outputs.argmax(1) == subject.targets).double().mean()),
            "val_loss": float(nn.functional.cross_entropy(subject.outputs, subject.targets)),
            **self.measure(subject),
            "train_seconds": seconds,
        }
        weights = {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}
        spent = time.perf_counter() - started
        return Results.ok(candidate, measured, spent, {int(candidate.evaluation_ids[0]): weights})

    def _train(self, genotype: Genotype, seed: int, shared_seed: int, fidelity: float) -> tuple[nn.Module, float]:
        """The trained network, and the seconds that training took, what frozen stages compute included."""
        assert self.task is not None
        task = self.task
        network = build_seeded(lambda: self.space.build(genotype, task), seed).to(self.device)
        started = time.perf_counter()
        inputs, labels = self._training
        rest = network
        if isinstance(network, Composition) and network.fixed_stages:
            fixed = network.fixed_stages
            inputs = self._after(network, genotype, fixed)
            rest = nn.Sequential(*network.stages[fixed:])
        if any(parameter.requires_grad for parameter in rest.parameters()):
            options = self.options.with_overrides(self.space.training_options(genotype))
            train_alone(rest, inputs, labels, options, task.loss, shared_seed, fidelity, seed)
        return network, time.perf_counter() - started

    def _after(self, network: Composition, genotype: Genotype, fixed: int) -> Tensor:
        """What the first `fixed` stages, which training does not change, give for the training examples."""
        space = cast(ModuleLibrary, self.space)
        genes = [(placed.position.name, placed.genes) for placed in space.placed(genotype)][:fixed]
        key = json.dumps(genes, sort_keys=True)
        if key not in self._kept:
            stages = nn.Sequential(*network.stages[:fixed]).eval()
            with torch.no_grad():
                self._kept[key] = torch.cat([stages(rows) for rows in self._training[0].split(ROWS)])
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    @cached_property
    def _parts(self) -> TaskParts:
        return load(self._data, self.image_task, self._sizes)

    @cached_property
    def _training(self) -> tuple[Tensor, Tensor]:
        return self._tensors(self._parts.train)

    @cached_property
    def _validation(self) -> tuple[Tensor, Tensor]:
        return self._tensors(self._parts.validation)

    @cached_property
    def _test(self) -> tuple[Tensor, Tensor]:
        return self._tensors(self._parts.test)

    def _tensors(self, part: Images) -> tuple[Tensor, Tensor]:
        images, labels = torch.from_numpy(self.preprocessing.apply(part.images)), torch.from_numpy(part.labels)
        return images.to(self.device), labels.to(self.device)
