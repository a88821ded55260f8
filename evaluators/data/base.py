"""What a data set is, and what every kind of them has in common."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from search_spaces import Task
from search_spaces.task import Values

from ..preprocessing import Preprocessing
from .rows import Inputs, take
from .split import FREE, Part, Split, Usual, split_rows

DIGESTED = 256
"""Examples that tell one content from another, spread over all of them; of targets all count."""


@dataclass(frozen=True)
class Examples:
    """All of a data set, or a part, as it was read.

    Args:
        inputs: (N, ...) of any number type; preprocessing makes (N, *task.input_shape) of them.
        targets: (N,) int64 classes, (N, values) floats in units of their own, or (N, steps) int64 tokens.
        parts: (N,) int8, `Part` of each example where the source says so; `FREE`: it may be in any. None: all are.
        groups: (N,), what must stay together, such as a person; None: nothing.
        times: (N,), what can be sorted; None: there is none.
    """

    inputs: Inputs
    targets: np.ndarray
    parts: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> Examples:
        """The inputs and targets of the given rows, in the given order."""
        return Examples(take(self.inputs, rows), self.targets[rows])


@dataclass(frozen=True)
class Splits:
    """Training, validation and test examples; none is in two of them."""

    train: Examples
    validation: Examples
    test: Examples

    def part(self, part: Part) -> Examples:
        """One of them."""
        return (self.train, self.validation, self.test)[part]


class DataSet(ABC):
    """Examples for a task, with their fixed splits.

    A kind is a frozen dataclass, so that equal ones hash alike; its fields are keys of the run file. One of them is
    `split: Split = Split()`. A subclass says what it is about (`task`, `class_names`) and reads it (`read`).
    """

    name: str
    """Of the data set, for model cards and logs."""
    licence: str = "not stated"
    """Of the data, for the model card of a network that was trained on it."""
    class_names: tuple[str, ...] = ()
    """What classes 0, 1, ... mean; empty where there are none."""
    split: Split
    """How it is split."""
    stratified: ClassVar[bool] = False
    """Whether classes are spread evenly where the split says nothing."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """What goes into a network after preprocessing, and what comes out. Known at the door, so be quick.

        Raises:
            ValueError: the files are not there, or not such as are expected; says what to do.
        """

    @abstractmethod
    def read(self) -> Examples:
        """Read everything, in a fixed order."""

    @abstractmethod
    def fit(self, train: Examples) -> Preprocessing:
        """Return the preprocessing that suits the training examples; it sees no others."""

    def place(self) -> Path | None:
        """Return the file or folder, which is not read; None where there is none.

        Raises:
            ValueError: it is not there; says how it is to be had.
        """
        return None

    def check(self) -> None:
        """Refuse, at the door, what cannot be searched on.

        Raises:
            ValueError: an attribute is not declared, files are missing, or the task cannot be told.
        """
        if not is_dataclass(self):
            raise ValueError(f"data: {type(self).__name__} must be a frozen dataclass, whose fields are its keys")
        for name in ("name", "split"):
            if not hasattr(self, name):
                raise ValueError(f"data: {type(self).__name__} declares no `{name}`; see {DataSet.__module__}")
        self.place()
        self.splits()

    @property
    def usual_split(self) -> Usual:
        """How it is split where the split says nothing."""
        return "stratified" if self.stratified else "random"

    def describe(self) -> list[str]:
        """Return lines that say what was found in the source, such as the kinds of columns and missing values."""
        return []

    def shown(self, raw: np.ndarray) -> Sequence[Any]:
        """Return examples as people know them, for `qd data`: texts, {column: value} of a table, else arrays.

        Args:
            raw: (N, ...) inputs as they were read.
        """
        return list(raw)

    def splits(self) -> Splits:
        """The examples of each part; read once for equal data sets of one process.

        Raises:
            ValueError: there are too few examples of a class, or of all.
        """
        return _splits(self)

    def split_in_words(self) -> str:
        """How the examples are split, and how many are in each part."""
        sizes = [len(self.splits().part(part)) for part in Part]
        everything = _read(self)
        given = everything.parts is not None and bool((everything.parts != FREE).any())
        usual = self.usual_split
        return self.split.in_words(
            sizes, given, "random" if usual == "stratified" and everything.targets.ndim > 1 else usual
        )

    def preprocessing(self) -> Preprocessing:
        """Fitted to the training examples alone, once for equal data sets of one process."""
        return _preprocessing(self)

    def targets(self, part: Examples) -> np.ndarray:
        """Targets as networks learn them: values are scaled by the preprocessing, classes stay as they are."""
        return self.preprocessing().scaled(part.targets) if isinstance(self.task.output, Values) else part.targets

    def contents(self) -> dict[str, Any]:
        """Plain data that tells this content from another: a resume needs the same."""
        everything = _read(self)
        digest = hashlib.sha256(np.ascontiguousarray(everything.targets).tobytes())
        rows = np.unique(np.linspace(0, len(everything) - 1, DIGESTED).astype(np.int64))
        digest.update(np.ascontiguousarray(everything.inputs[rows]).tobytes())
        return {
            "data": self.name,
            "examples": len(everything),
            "task": self.task.plain(),
            "class_names": list(self.class_names),
            "digest": digest.hexdigest(),
        }


@lru_cache(maxsize=2)
def _read(data: DataSet) -> Examples:
    everything = data.read()
    if not len(everything):
        raise ValueError(f"data: {data.name} has no examples")
    return everything


@lru_cache(maxsize=4)
def _splits(data: DataSet) -> Splits:
    everything = _read(data)
    targets = everything.targets
    # told from the targets: what goes in may follow from the split, and so `data.task` would not be known yet
    classes = targets if targets.ndim == 1 else None
    rows = split_rows(
        data.split,
        everything.inputs,
        classes,
        everything.parts,
        everything.groups,
        everything.times,
        data.class_names,
        data.usual_split,
    )
    return Splits(*(everything.take(one) for one in rows))


@lru_cache(maxsize=4)
def _preprocessing(data: DataSet) -> Preprocessing:
    return data.fit(data.splits().train)
