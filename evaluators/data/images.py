"""What a set of labelled images is, and how it is split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from search_spaces import Task

PARTS = 5
"""One in this many is for validation where nothing else is said, and for the test where no test split is published."""


class Part(NamedTuple):
    """Images (N, channels, height, width), uint8 as they are read, and labels (N,) int64."""

    images: np.ndarray
    labels: np.ndarray

    def take(self, rows: np.ndarray) -> Part:
        """The given rows, in the given order."""
        return Part(self.images[rows], self.labels[rows])


class Splits(NamedTuple):
    """Training, validation and test examples; none is in two of them."""

    train: Part
    validation: Part
    test: Part


class ImageData(ABC):
    """A data set that can be loaded. Equal ones hash alike; arguments of the constructor are keys of the run file.

    Attributes, of the class or, where arguments decide, of the instance:
        name: of the data set, for model cards and tasks.
        image_shape: (channels, height, width).
        class_names: what the labels 0, 1, ... mean.
        examples: how many images there are in all.
        licence: of the data, for the model card of a network that was trained on it.
        published_test: how many of them, the last ones, are the published test split; 0 where none is published.
        brightest: the largest value that a pixel may have.
    """

    name: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    examples: int
    licence: str = "not stated"
    published_test: int = 0
    brightest: int = 255

    @property
    def task(self) -> Task:
        """Classification: images in, one score per class out."""
        return Task(self.image_shape, len(self.class_names), "cross_entropy")

    @abstractmethod
    def load(self) -> Part:
        """Read all images, in their published order."""

    def place(self) -> Path | None:
        """Return the folder of the files, which are not read; None where there are none.

        Raises:
            ValueError: they are not there; says how they are to be had.
        """
        return None

    def check(self) -> None:
        """Refuse, at the door, a data set that cannot be loaded.

        Raises:
            ValueError: an attribute is not declared, or files are missing.
        """
        for name in ("name", "image_shape", "class_names", "examples"):
            if not hasattr(self, name):
                raise ValueError(f"data: {type(self).__name__} declares no `{name}`; see {ImageData.__module__}")
        self.place()


def split_sizes(
    data: ImageData | type[ImageData], train_examples: int | None, validation_examples: int | None
) -> tuple[int, int, int]:
    """Sizes of the training, validation and test split; None stands for a fifth (validation) and the rest (training).

    Raises:
        ValueError: there are fewer examples than asked for.
    """
    test = data.published_test or data.examples // PARTS
    left = data.examples - test
    validation = left // PARTS if validation_examples is None else validation_examples
    if not 1 <= validation < left:
        raise ValueError(f"validation_examples: expected 1 to {left - 1}, got {validation}")
    left -= validation
    train = left if train_examples is None else train_examples
    if not 1 <= train <= left:
        raise ValueError(f"train_examples: expected 1 to {left} (beside {validation} for validation), got {train}")
    return train, validation, test


@lru_cache(maxsize=2)  # evaluators of one process that want the same split share it
def split(
    data: ImageData, seed: int, train_examples: int | None = None, validation_examples: int | None = None
) -> Splits:
    """Load a data set and split it at random by a written seed; a published test split stays as it is.

    Equal arguments give equal splits. A larger `train_examples` keeps the smaller one's examples and adds to them.
    """
    train, validation, test = split_sizes(data, train_examples, validation_examples)
    everything = data.load()
    rng = np.random.default_rng(seed)
    if data.published_test:
        order = np.concatenate([np.arange(data.examples - test, data.examples), rng.permutation(data.examples - test)])
    else:
        order = rng.permutation(data.examples)
    test_rows, validation_rows, train_rows = np.split(order, [test, test + validation])
    return Splits(everything.take(train_rows[:train]), everything.take(validation_rows), everything.take(test_rows))
