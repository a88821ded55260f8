"""Data sets in MNIST's form: four IDX files, and 70,000 images of 28 x 28 pixels in them."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from .idx import read_idx, unpacked
from .images import LabelledImages
from .split import Split

FILES: tuple[str, ...] = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""Each lies in a folder under this name, or gzipped with `.gz` behind it."""


TOLD_BY = FILES[1:]
"""The smaller files, which tell the published data set from another."""


def file_in(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, gzipped or not, or None."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


@dataclass(frozen=True)
class IdxImages(LabelledImages):
    """60,000 and 10,000 (test) images with values 0 to 255, and their labels.

    Files that somebody named, and that are not the published ones, are a data set of their own: its name is the
    folder's, classes are numbers, and nobody states a licence.

    Args:
        folder: that holds the files; None: where the data set looks for them.
        split: how they are split.
    """

    image_shape = (1, 28, 28)
    examples = 70_000
    published_test = 10_000
    title: ClassVar[str]
    """For messages."""
    sha256: ClassVar[Mapping[str, str]]
    """Of the published files, unpacked."""

    folder: Path | str | None = None
    split: Split = Split()

    def __post_init__(self) -> None:
        if self.folder is not None and not self._is_published(Path(self.folder).expanduser()):
            classes = tuple(str(label) for label in range(len(self.class_names)))
            own = {"name": Path(self.folder).resolve().name, "licence": "not stated", "class_names": classes}
            for name, value in own.items():
                object.__setattr__(self, name, value)

    @abstractmethod
    def place(self) -> Path: ...

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        images = np.concatenate([self._read(FILES[0], (60_000, 28, 28)), self._read(FILES[2], (10_000, 28, 28))])
        labels = np.concatenate([self._read(FILES[1], (60_000,)), self._read(FILES[3], (10_000,))])
        return images[:, None], labels.astype(np.int64)

    def _is_published(self, folder: Path) -> bool:
        """Whether the files are those that were published, as far as they are there."""
        paths = {name: path for name in TOLD_BY if (path := file_in(folder, name)) is not None}
        return all(hashlib.sha256(unpacked(path)).hexdigest() == self.sha256[name] for name, path in paths.items())

    def _read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = file_in(self.place(), name)
        assert path is not None  # `place` looked
        array = read_idx(path)
        if array.shape != shape:
            raise ValueError(f"{path}: expected {self.title}'s shape {shape}, got {array.shape}")
        return array
