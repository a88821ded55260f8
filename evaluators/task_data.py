"""What export, parity checks and longer training need of the data behind a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from qd.precision import in_single_precision
from qd.training import TrainingOptions

PartName = Literal["train", "validation", "test"]


class Examples(NamedTuple):
    """Preprocessed inputs (N, *input_shape) float32; targets (N,) int64 classes, or (N, outputs) float32."""

    inputs: np.ndarray
    targets: np.ndarray


class Preprocessing(NamedTuple):
    """What is done to raw inputs before a network sees them: (raw - mean) / scale.

    Args:
        mean: input_shape, float32, such as the mean training image.
        scale: above 0, such as the standard deviation of all the training pixels around that image.
    """

    mean: np.ndarray
    scale: float

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """(N, *input_shape) of any number type → float32."""
        return ((raw - self.mean) / np.float32(self.scale)).astype(np.float32, copy=False)


@dataclass(frozen=True)
class TaskData:
    """The data behind an evaluator's task, for those who use a network outside of a search.

    Args:
        name: of the data set, for the model card.
        examples: gives a part: all training examples (however few of them the search used), those for validation, or
            the test split; as float32 where they have another floating-point type.
        score: (outputs, targets) to those metrics of the evaluator that follow from outputs alone, the one that people
            care about first, such as {"val_accuracy": 0.9}.
        options: how the search trained its networks; None where they are not trained.
        preprocessing: None where raw inputs go in as they are.
        class_names: what the outputs stand for; empty where they are no classes.
        licence: of the data, for the model card.
    """

    name: str
    examples: Callable[[PartName], Examples]
    score: Callable[[np.ndarray, np.ndarray], Mapping[str, float]]
    options: TrainingOptions | None = None
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    licence: str = "not stated"

    def __post_init__(self) -> None:
        given = self.examples
        object.__setattr__(self, "examples", lambda part: Examples(*map(in_single_precision, given(part))))
