"""What data sets have in common that a person brings: a place, and all else is found there."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from search_spaces import Task
from search_spaces.task import Image, Values

from ..preprocessing import Preprocessing, Scaling, Standardise
from .base import DataSet, Examples
from .rows import Inputs, blocks
from .split import FREE, PART_WORDS, Part, Split

logger = logging.getLogger(__name__)

FITTED = 100_000
NUMBERS = 2**26
"""Examples, and numbers in them, that the preprocessing is fitted to, at most; of more, every so-manieth example."""


class Found(NamedTuple):
    """What a place holds; lines say how it was understood."""

    examples: Examples
    task: Task
    class_names: tuple[str, ...]
    lines: tuple[str, ...]


class OwnData(DataSet):
    """Numbers of one shape and their targets, at a person's own place; each channel is standardised.

    A kind is a frozen dataclass with `path` among its fields.
    """

    path: Path | str
    stratified = True

    @abstractmethod
    def open(self) -> Found:
        """Look into the place and read it.

        Raises:
            ValueError: it is not such as is expected.
        """

    def found(self) -> Found:
        """What `open` gives; once for all splits in one process."""
        split = self.split
        return _found(replace(self, split=Split(split.by if split.column else None, split.column)))  # pyright: ignore[reportArgumentType]

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the file or folder."""
        path = Path(self.path).resolve()
        return path.stem if path.is_file() else path.name

    @property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.found().class_names

    @property
    def task(self) -> Task:
        return self.found().task

    def describe(self) -> list[str]:
        return list(self.found().lines)

    def place(self) -> Path:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise ValueError(f"data: {path}: there is no such file or folder")
        return path

    def read(self) -> Examples:
        return self.found().examples

    def fit(self, train: Examples) -> Preprocessing:
        outputs = Scaling.of(train.targets) if isinstance(self.task.output, Values) else None
        return standardised(train.inputs, 1 if isinstance(self.task.input, Image) else -1, outputs)


@lru_cache(maxsize=2)
def _found(data: OwnData) -> Found:
    found = data.open()
    for line in found.lines:
        logger.info(f"data: {line}")
    return found


def standardised(inputs: Inputs, channels: int, outputs: Scaling | None = None) -> Standardise:
    """Each channel by its own mean and standard deviation; what is no number does not count.

    Args:
        inputs: (N, ...), read a block at a time.
        channels: the axis of the channels or features.
        outputs: of values.
    """
    step = max(1, len(inputs) // FITTED, math.prod(inputs.shape) // NUMBERS)
    counts, sums, squares, origin = 0, 0.0, 0.0, None
    for block in blocks(inputs, step):
        flat = np.moveaxis(block, channels, -1).reshape(-1, block.shape[channels]).astype(np.float64)
        there = np.isfinite(flat)
        # squares of differences from a number in their middle, which keeps their digits
        origin = np.where(there, flat, 0).sum(0) / np.maximum(there.sum(0), 1) if origin is None else origin
        flat = np.where(there, flat - origin, 0)
        counts, sums, squares = counts + there.sum(0), sums + flat.sum(0), squares + (flat**2).sum(0)
    mean = sums / np.maximum(counts, 1)
    scale = np.sqrt(np.maximum(squares / np.maximum(counts, 1) - mean**2, 0))
    spread = (-1,) + (1,) * (len(inputs.shape) - 1 - channels) if channels > 0 else (-1,)
    return Standardise(
        (mean + (0.0 if origin is None else origin)).astype(np.float32).reshape(spread),
        np.where(scale > 0, scale, 1.0).astype(np.float32).reshape(spread),
        outputs=outputs,
    )


def parts_of(given: Sequence[Part]) -> np.ndarray:
    """`Examples.parts` of examples whose part is said: where not all three are, the rest is cut from training ones."""
    parts = np.asarray(given, np.int8)
    complete = all((parts == part).any() for part in Part)
    return parts if complete else np.where(parts == Part.TRAIN, FREE, parts).astype(np.int8)


def read_parts(column: np.ndarray, where: str) -> np.ndarray:
    """`Examples.parts` out of a column: train, validation and test, as people call them, or 0, 1 and 2.

    Raises:
        ValueError: there is another word, or no example for training.
    """
    words = {**PART_WORDS, **{str(int(part)): part for part in Part}}
    text = [str(one).strip().lower() for one in column.tolist()]
    unknown = sorted({one for one in text if one not in words})
    if unknown or not any(words[one] is Part.TRAIN for one in text):
        got = f"{', '.join(map(repr, unknown[:5]))}" if unknown else "none for training"
        raise ValueError(f"data: {where}: expected train, validation and test as parts, got {got}")
    return parts_of([words[one] for one in text])
