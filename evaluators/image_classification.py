"""Trains candidates to classify small images, and measures them."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from qd.candidates import Candidates, Results, Status
from qd.metrics.active_parameters import ActiveParameters
from qd.metrics.expert_entropy import ExpertEntropy
from qd.metrics.macs import MACs
from qd.metrics.parameters import Parameters
from qd.metrics.specialisation import Specialisation
from qd.training import StackSize, Trained, TrainingOptions, train_population
from qd.training.device import pin_threads
from qd.training.memory import MOST
from search_spaces import Invalid, SearchSpace

from .classification import ImageClassifier, TrainingKeys, declared
from .data import ImageData, Splits, split, split_sizes
from .data.digits import Digits
from .task_data import Preprocessing

MEASURED = (Parameters, ActiveParameters, MACs, ExpertEntropy, Specialisation)
"""Metrics of every network, beside those that the run file adds."""
DIGITS = Digits()
DEFAULTS = TrainingOptions(epochs=5, batch_size=100, learning_rate=0.005, schedule="cosine")


class ImageClassification(ImageClassifier):
    """Trains each candidate on images and measures it on the validation split; verification scores the test split.

    Args:
        data: the images; `evaluators/data` has some.
        train_examples: how many of the training examples are used; None: all.
        validation_examples: how many examples are for validation; None: a fifth of those that are not for the test.
        split_seed: of the random split, at least 0; one seed, one split.
        stack: at most this many networks are trained together, 1 or more.
        stack_megabytes: memory for them; None: a quarter of what is free. Left out of account under `order: id`.
        **training: see `TrainingKeys`.
    """

    metrics = declared(*MEASURED)

    def __init__(
        self,
        data: ImageData = DIGITS,
        train_examples: int | None = None,
        validation_examples: int | None = None,
        split_seed: int = 0,
        stack: int = MOST,
        stack_megabytes: int | None = None,
        **training: Unpack[TrainingKeys],
    ) -> None:
        if stack < 1:
            raise ValueError(f"stack: expected at least 1, got {stack}")
        if stack_megabytes is not None and stack_megabytes < 1:
            raise ValueError(f"stack_megabytes: expected at least 1, got {stack_megabytes}")
        self.stack_size = StackSize(stack, stack_megabytes * 2**20 if stack_megabytes else None)
        data.check()
        split_sizes(data, train_examples, validation_examples)  # raises where there are not as many
        self._split = (split_seed, train_examples, validation_examples)
        super().__init__(data, data.name, data.task, data.class_names, MEASURED, DEFAULTS, split_seed, **training)

    def contents(self) -> dict[str, Any]:
        data = self.data
        return {
            "data": data.name,
            "examples": data.examples,
            "published_test": data.published_test,
            "image_shape": data.image_shape,
            "class_names": data.class_names,
        }

    def splits(self, all_training: bool = False) -> Splits:
        seed, train_examples, validation_examples = self._split
        return split(self.data, seed, None if all_training else train_examples, validation_examples)

    def fit(self, images: np.ndarray) -> Preprocessing:
        images = images.astype(np.float64)
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

    def _row(self, candidate: Candidates, result: Trained | Invalid) -> Results:
        if isinstance(result, Invalid):
            return Results.without_metrics(candidate, Status.INVALID, str(result))
        return self.row(candidate, result.network, result.seconds)
