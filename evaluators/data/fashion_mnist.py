"""Fashion-MNIST: where its files are, and how they are read. As a program, it fetches them.

python -m evaluators.data.fashion_mnist
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

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

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
OFFICIAL_ADDRESS = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
WAYS = (
    "There are three ways to get it: (1) name a folder that holds the four files "
    f"({', '.join(f'{name}.gz' for name in FILES)}) by the evaluator's key `folder`; "
    "(2) install Debian's package dataset-fashion-mnist, or run `python -m evaluators.data.fashion_mnist`, which "
    "unpacks it without root where apt is there; "
    f"(3) the same command fetches the official files from {OFFICIAL_ADDRESS} where that address can be reached."
)


def cache_folder() -> Path:
    """Where fetched files are kept: below `$XDG_CACHE_HOME`, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qdnas" / "fashion_mnist"


def file_in(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, gzipped or not, or None."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def find(folder: str | None = None) -> Path:
    """Return the folder that holds the files: the one named, else the first of the cache and Debian's folder.

    Raises:
        ValueError: a file is missing from the named folder, or no folder has them all.
    """
    if folder is not None:
        named = Path(folder).expanduser()
        missing = [name for name in FILES if file_in(named, name) is None]
        if missing:
            raise ValueError(f"folder: expected the files of Fashion-MNIST in {named}, missing: {', '.join(missing)}")
        return named.resolve()
    looked = (cache_folder(), DEBIAN_FOLDER)
    for place in looked:
        if all(file_in(place, name) for name in FILES):
            return place
    raise ValueError(f"data: Fashion-MNIST is neither in {looked[0]} nor in {looked[1]}. {WAYS}")


@dataclass(frozen=True)
class FashionMNIST(ImageData):
    """60,000 and 10,000 (test) images of clothes, 28 x 28 pixels with values 0 to 255 (Xiao et al., arXiv 1708.07747).

    Args:
        folder: that holds the files, as `find` returns it.
    """

    image_shape = (1, 28, 28)
    class_names = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
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
            raise ValueError(f"{path}: expected Fashion-MNIST's shape {shape}, got {array.shape}")
        return array


if __name__ == "__main__":
    from .fashion_mnist_download import main

    sys.exit(main())
