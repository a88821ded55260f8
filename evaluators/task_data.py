"""What export, parity checks and longer training need of the data behind a task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from qd.precision import in_single_precision
from qd.training import TrainingOptions

from .preprocessing import Preprocessing

PartName = Literal["train", "validation", "test"]


IN_MEMORY = 2**28
"""Bytes of preprocessed inputs that are kept in memory."""


class Examples(NamedTuple):
    """What networks take in and learn.

    Args:
        inputs: (N, *input_shape) float32, or int64 of tokens.
        targets: (N,) int64 classes, (N, outputs) float32 values as networks learn them, or (N, steps) int64 tokens.
    """

    inputs: np.ndarray | Prepared
    targets: np.ndarray


class Prepared:
    """Inputs that are preprocessed when they are asked for, as there are too many to keep.

    Args:
        raw: (N, ...) as they were read; gives arrays for rows, (B,) int64, or for a slice.
        preprocessing: what is done to them.
    """

    def __init__(self, raw: Any, preprocessing: Preprocessing) -> None:
        self._raw, self._preprocessing = raw, preprocessing
        first = preprocessing.apply(raw[:1])
        self.shape, self.dtype = (len(raw), *first.shape[1:]), first.dtype

    @classmethod
    def of(cls, raw: Any, preprocessing: Preprocessing) -> np.ndarray | Prepared:
        """All of them as an array where that takes at most `IN_MEMORY` bytes."""
        found = cls(raw, preprocessing)
        small = math.prod(found.shape) * found.dtype.itemsize <= IN_MEMORY
        return preprocessing.apply(raw[:]) if small else found

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        return self._preprocessing.apply(self._raw[rows])


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
        raw: gives the raw inputs of a part, in the order of `examples`: an array, or what gives one for a slice.
        split: how the data is split, in words.
    """

    name: str
    examples: Callable[[PartName], Examples]
    score: Callable[[np.ndarray, np.ndarray], Mapping[str, float]]
    options: TrainingOptions | None = None
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    licence: str = "not stated"
    raw: Callable[[PartName], Any] | None = None
    split: str = ""

    def __post_init__(self) -> None:
        given = self.examples
        object.__setattr__(self, "examples", lambda part: Examples(*map(_in_single_precision, given(part))))


def _in_single_precision(array: np.ndarray | Prepared) -> Any:
    return array if isinstance(array, Prepared) else in_single_precision(array)
