"""Tasks that share structure: one set of images, seen in many ways.

After the BELL benchmark of PICLE (Valkov et al., arXiv 2306.06545): problems share how images look, what is to be told
of them, or how two answers are combined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from search_spaces import Task
from search_spaces.task import Classes, Image

from ..data import DataSet, Examples, LabelledImages, Part, Split, Splits

PATTERNS = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "nand": lambda a, b: ~(a & b),
    "nor": lambda a, b: ~(a | b),
    "xnor": lambda a, b: ~(a ^ b),
}
Pattern = Literal["and", "or", "xor", "nand", "nor", "xnor"]


@dataclass(frozen=True)
class ImageTask:
    """What is asked of which images.

    Args:
        data: the images.
        classes: only these, two at least; empty: all.
        permutation: the classes are numbered anew at random, by this seed; None: as they are.
        inverted: whether black is white.
        noise: standard deviation of Gaussian noise on the pixels, which go from 0 to 1.
        pair: two images side by side, and a boolean pattern to be judged: an image counts as true where its class
            (after `permutation`) is in the upper half. Then there are two classes.
    """

    data: DataSet
    classes: tuple[int, ...] = ()
    permutation: int | None = None
    inverted: bool = False
    noise: float = 0.0
    pair: Pattern | None = None

    def __post_init__(self) -> None:
        if self.classes and (len(set(self.classes)) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ValueError(f"classes: expected two or more different ones, got {list(self.classes)}")
        self.images  # noqa: B018 - refuses what is no set of labelled images
        most = len(self.data.class_names) - 1
        if any(not 0 <= one <= most for one in self.classes):
            raise ValueError(f"classes: expected numbers from 0 to {most}, got {list(self.classes)}")
        if self.permutation is not None and self.permutation < 0:
            raise ValueError(f"permutation: expected a seed of at least 0, got {self.permutation}")
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise: expected a standard deviation in [0, 1], got {self.noise}")

    @property
    def images(self) -> LabelledImages:
        """The data set, which must be one of labelled images."""
        if not isinstance(self.data, LabelledImages):
            raise ValueError(f"data: expected a set of labelled images, got {type(self.data).__name__}")
        return self.data

    @property
    def name(self) -> str:
        """Such as "mnist_inverted" or "fashion_mnist_0246_pair_xor"."""
        parts = [self.data.name, "".join(map(str, self.classes))]
        parts += [f"permuted{self.permutation}" if self.permutation is not None else ""]
        parts += ["inverted" if self.inverted else "", f"noisy{round(100 * self.noise)}" if self.noise else ""]
        return "_".join(part for part in [*parts, f"pair_{self.pair}" if self.pair else ""] if part)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the outputs stand for."""
        if self.pair:
            return ("false", "true")
        names = self.data.class_names
        used = self.classes or tuple(range(len(names)))
        numbers = self._numbers()
        return tuple(names[one] for one in sorted(used, key=lambda one: numbers[one]))

    def _numbers(self) -> np.ndarray:
        """(classes of the data,) int64: the new number of each class, -1 where it is left out."""
        count = len(self.data.class_names)
        used = np.array(self.classes or range(count))
        new = np.arange(len(used))
        if self.permutation is not None:
            new = np.random.default_rng(self.permutation).permutation(len(used))
        numbers = np.full(count, -1)
        numbers[used] = new
        return numbers


@dataclass(frozen=True)
class Sizes:
    """How many examples, and how large.

    Args:
        train: for training.
        validation: for validation.
        test: at most this many for the test.
        shrink: images are averaged over squares of this many pixels a side.
        seed: of the random split, and of what is drawn of it.
    """

    train: int
    validation: int
    test: int
    shrink: int
    seed: int


def task_of(task: ImageTask, shrink: int) -> Task:
    """What a network for the task takes in and gives out.

    Raises:
        ValueError: nothing is left of its images.
    """
    channels, height, width = task.images.image_shape
    if min(height, width) < shrink:
        raise ValueError(f"shrink: nothing is left of the images of {task.data.name}, got {shrink}")
    height, width = height // shrink, width // shrink
    return Task(Image(channels, height, width * 2 if task.pair else width), Classes(len(task.class_names)))


@lru_cache(maxsize=4)
def load(task: ImageTask, sizes: Sizes) -> Splits:
    """Make a task's examples, images float32 in [0, 1]. Equal arguments give equal ones.

    Raises:
        ValueError: there are not as many examples of these classes.
    """
    parts = replace(task.images, split=Split(seed=sizes.seed)).splits()  # pyright: ignore[reportArgumentType]
    wanted = (sizes.train, sizes.validation, sizes.test)
    return Splits(
        *(_examples(parts.part(part), task, number, sizes, part) for part, number in zip(Part, wanted, strict=True))
    )


def _examples(part: Examples, task: ImageTask, wanted: int, sizes: Sizes, index: int) -> Examples:
    rng = np.random.default_rng([sizes.seed, index])
    labels = task._numbers()[part.targets]
    rows = np.flatnonzero(labels >= 0)
    name = ("train", "validation", "test")[index]
    if task.pair is None:
        if index < 2 and wanted > len(rows):
            raise ValueError(f"{name}_examples: the task {task.name} has {len(rows)}, expected at most that many")
        rows = rows[:wanted]
        images, labels = _images(part.inputs[:], rows, task, sizes.shrink, rng), labels[rows]
        return Examples(images, labels)
    pairs = rng.choice(rows, (wanted, 2))
    upper = labels >= (len(task.classes) or len(task.data.class_names)) // 2
    sides = [_images(part.inputs[:], pairs[:, side], task, sizes.shrink, rng) for side in (0, 1)]
    judged = PATTERNS[task.pair](upper[pairs[:, 0]], upper[pairs[:, 1]])
    return Examples(np.concatenate(sides, axis=3), judged.astype(np.int64))


def _images(
    images: np.ndarray, rows: Sequence[int] | np.ndarray, task: ImageTask, shrink: int, rng: np.random.Generator
) -> np.ndarray:
    taken = images[rows].astype(np.float32) / task.images.brightest
    count, channels, height, width = taken.shape
    height, width = height // shrink, width // shrink
    squares = taken[:, :, : height * shrink, : width * shrink].reshape(count, channels, height, shrink, width, shrink)
    shrunk = squares.mean((3, 5))
    if task.inverted:
        shrunk = 1 - shrunk
    if task.noise:
        shrunk = np.clip(shrunk + rng.normal(0, task.noise, shrunk.shape), 0, 1)
    return shrunk.astype(np.float32)
