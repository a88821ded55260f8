"""What evaluators share that train networks on a training split and measure them on another."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from qd.candidates import Candidates, Curve, Purpose, Results
from qd.metrics.base import NetworkMetric
from qd.metrics.joined import JoinedMetrics
from qd.metrics.known import known_metrics
from qd.metrics.predicting import Prediction, last, predict_alone, predict_together
from qd.metrics.subject import Subject
from qd.training import TrainingOptions
from qd.training.device import find_device
from qd.training.inputs import Inputs, RowsOnDevice
from search_spaces import Genotypes, Metric, Task

from .data import Examples, Part
from .networks import NetworkEvaluator
from .preprocessing import Preprocessing
from .scores import Judged, Scores
from .task_data import Examples as Given
from .task_data import PartName, Prepared, TaskData


@dataclass(frozen=True)
class About:
    """What a model card says of the data.

    Args:
        name: of the data set.
        licence: of the data.
        class_names: what the outputs stand for; empty where they are no classes.
        split: how it is split, in words.
    """

    name: str
    licence: str
    class_names: tuple[str, ...]
    split: str = ""


class Scored(NamedTuple):
    """What a trained network makes of the examples that it is scored on.

    Args:
        scores: by the names of `Scores.metrics`.
        prediction: for metrics.
        seconds: its share of what a stack took for it; 0 where it was run alone, within its row.
    """

    scores: dict[str, float]
    prediction: Prediction
    seconds: float


TIME = {"train_seconds": Metric("s", 0, math.inf, "minimise", time=True)}
"""What every trainer reports beside scores and what it measures of networks."""


class Trainer(NetworkEvaluator):
    """Trains candidates on training examples, and measures them on those for validation.

    A subclass says which examples there are (`examples`), how they are preprocessed (`preprocessing`), and trains
    (`evaluate`). Verification alone scores the test split.

    Args:
        about: the data.
        task: of the networks.
        scores: of predictions.
        measured: metrics of every network, beside those that the run file adds.
        training: how.
        device: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU where there is one.

    Raises:
        ValueError: an option of the training does not suit the task.
    """

    def __init__(
        self,
        about: About,
        task: Task,
        scores: Scores,
        measured: Sequence[NetworkMetric],
        training: TrainingOptions,
        device: str,
    ) -> None:
        training.check_task(task)
        self.device = find_device(device)
        self.about, self.task, self.scores, self.options = about, task, scores, training
        self.measured = JoinedMetrics(measured)
        self.metrics = {**scores.metrics, **self.measured.metrics, **TIME}

    @abstractmethod
    def examples(self, part: Part, everything: bool = False) -> Examples:
        """Return raw inputs and what networks learn, of a part.

        Args:
            part: which.
            everything: whether all training examples are wanted, however few of them the search uses.
        """

    @cached_property
    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """Fitted to the training examples alone."""

    def task_data(self) -> TaskData:
        def examples(part: PartName) -> Given:
            found = self.examples(PARTS[part], everything=True)
            return Given(Prepared.of(found.inputs, self.preprocessing), found.targets)

        about = self.about
        return TaskData(
            about.name,
            examples,
            self.scores,
            self.options,
            self.preprocessing,
            about.class_names,
            about.licence,
            lambda part: self.examples(PARTS[part], everything=True).inputs,
            about.split,
        )

    def known(self, genotypes: Genotypes, names: Collection[str]) -> dict[str, np.ndarray]:
        return known_metrics(self.measured, self.space, self.task, genotypes, names, lambda: self._validation)

    def row(
        self,
        candidate: Candidates,
        network: nn.Module,
        seconds: float,
        curve: Curve | None = None,
        scored: Scored | None = None,
    ) -> Results:
        """Measure a trained network.

        Args:
            candidate: one.
            network: trained for it.
            seconds: that training took.
            curve: of its training; None: none was kept.
            scored: what it makes of the examples, by its stack; None: it is run.
        """
        started = time.perf_counter()
        assert self.task is not None
        examples = self._examples_of(candidate.purpose)
        scored = scored or self._score_alone(network, *examples)
        subject = Subject(
            candidate.genotypes[0], self.space, self.task, lambda: network, lambda: examples, scored.prediction
        )
        measured = {**scored.scores, **self.measure(subject), "train_seconds": seconds}
        weights = {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}
        spent = seconds + scored.seconds + time.perf_counter() - started
        id = int(candidate.evaluation_ids[0])
        return Results.ok(candidate, measured, spent, {id: weights}, {id: curve} if curve is not None else None)

    def scorer(self, purpose: Purpose) -> Callable[[Any, Sequence[nn.Module]], list[Scored | None]]:
        """Return what scores all networks of a trained stack at once; see `train_population`.

        Args:
            purpose: of the evaluations: verifications alone are scored on the test split.
        """
        task = self.task
        assert task is not None

        def score(stack: Any, networks: Sequence[nn.Module]) -> list[Scored | None]:
            started = time.perf_counter()
            inputs, targets = self._examples_of(purpose)

            def keep(outputs: Tensor, rows: slice) -> tuple[Judged, Tensor]:
                return self.scores.judge(outputs, targets[rows]), last(outputs, task)

            found = predict_together(stack, networks, inputs, targets, task, keep)
            if found is None:
                return [None] * len(networks)
            kept, uses = found
            outputs = torch.cat([part for _, part in kept], 1)
            scores = self.scores.of([judged for judged, _ in kept])
            seconds = (time.perf_counter() - started) / len(networks)
            return [
                None if used is None else Scored(own, Prediction(output, used), seconds)
                for own, output, used in zip(scores, outputs, uses, strict=True)
            ]

        return score

    def _score_alone(self, network: nn.Module, inputs: Inputs, targets: Tensor) -> Scored:
        task = self.task
        assert task is not None
        judged: list[Judged] = []

        def keep(outputs: Tensor, rows: slice) -> Tensor:
            judged.append(self.scores.judge(outputs[None], targets[rows]))
            return last(outputs, task)

        prediction = predict_alone(network.eval(), inputs, targets, task, keep)
        return Scored(self.scores.of(judged)[0], prediction, 0.0)

    def _examples_of(self, purpose: Purpose) -> tuple[Inputs, Tensor]:
        """Inputs and targets that networks are scored on."""
        return self._test if purpose is Purpose.VERIFICATION else self._validation

    @cached_property
    def training_examples(self) -> tuple[Inputs, Tensor]:
        """Preprocessed inputs (N, *task.input_shape) and targets to train on, on the device."""
        return self._on_device(Part.TRAIN)

    def watched(self, purpose: Purpose) -> tuple[tuple[Inputs, Tensor] | None, Scores | None]:
        """What epochs are judged by: validation inputs and targets, and the scores of learning curves; None: nothing.

        A verification keeps no curve: its metrics are those of the test split, and nobody looks there on the way.
        """
        scores = self.scores if self.options.curve and purpose is not Purpose.VERIFICATION else None
        looks = self.options.early_stopping is not None or scores is not None
        return self._validation if looks else None, scores

    @cached_property
    def _validation(self) -> tuple[Inputs, Tensor]:
        return self._on_device(Part.VALIDATION)

    @cached_property
    def _test(self) -> tuple[Inputs, Tensor]:
        return self._on_device(Part.TEST)

    def _on_device(self, part: Part) -> tuple[Inputs, Tensor]:
        found = self.examples(part)
        prepared = Prepared.of(found.inputs, self.preprocessing)
        targets = torch.from_numpy(found.targets).to(self.device)
        if isinstance(prepared, Prepared):
            return RowsOnDevice(prepared, self.device), targets
        return torch.from_numpy(prepared).to(self.device), targets


PARTS: Mapping[PartName, Part] = {"train": Part.TRAIN, "validation": Part.VALIDATION, "test": Part.TEST}
