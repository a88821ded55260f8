"""Data sets in MNIST's form: four IDX files, and 70,000 images of 28 x 28 pixels in them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from .idx import read_idx
from .images import ImageData, Part

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""Each lies in a folder under this name, or gzipped with `.gz` behind it."""


def file_in(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, gzipped or not, or None."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


@dataclass(frozen=True)
class IdxImages(ImageData):
    """60,000 and 10,000 (test) images with values 0 to 255, and their labels.

    Args:
        folder: that holds the files; None: where the data set looks for them.
    """

    image_shape = (1, 28, 28)
    examples = 70_000
    published_test = 10_000
    title: ClassVar[str]
    """For messages."""

    folder: str | None = None

    @abstractmethod
    def place(self) -> Path: ...

    def load(self) -> Part:
        images = np.concatenate([self._read(FILES[0], (60_000, 28, 28)), self._read(FILES[2], (10_000, 28, 28))])
        labels = np.concatenate([self._read(FILES[1], (60_000,)), self._read(FILES[3], (10_000,))])
        return Part(images[:, None], labels.astype(np.int64))

    def _read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = file_in(self.place(), name)
        assert path is not None  # `place` looked
        array = read_idx(path)
        if array.shape != shape:
            raise ValueError(f"{path}: expected {self.title}'s shape {shape}, got {array.shape}")
        return array
