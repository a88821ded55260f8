"""Fashion-MNIST: where its files are, and how they are read. As a program, it fetches them.

python -m evaluators.data.fashion_mnist
"""

from __future__ import annotations

import sys
from pathlib import Path

from .fashion_mnist_download import DEBIAN_FOLDER, OFFICIAL_ADDRESS, SHA256, fetch
from .idx_images import FILES, IdxImages, file_in
from .packages import data_folder

WAYS = (
    "There are three ways to get it: (1) name a folder that holds the four files "
    f"({', '.join(f'{name}.gz' for name in FILES)}) by the key `folder`, data: {{kind: fashion_mnist, folder: ...}}; "
    "(2) install Debian's package dataset-fashion-mnist, or run `python -m evaluators.data.fashion_mnist`, which "
    "unpacks it without root where apt is there; "
    f"(3) the same command fetches the official files from {OFFICIAL_ADDRESS} where that address can be reached."
)


def cache_folder() -> Path:
    """Where fetched files are kept."""
    return data_folder("fashion_mnist")


def find(folder: Path | str | None = None) -> Path:
    """Return the folder that holds the files: the one named, else the first of the cache and Debian's folder.

    Raises:
        ValueError: a file is missing from the named folder, or no folder has them all.
    """
    if folder is not None:
        named = Path(folder).expanduser()
        missing = [name for name in FILES if file_in(named, name) is None]
        if missing:
            raise ValueError(
                f"data.folder: expected the files of Fashion-MNIST in {named}, missing: {', '.join(missing)}"
            )
        return named.resolve()
    looked = (cache_folder(), DEBIAN_FOLDER)
    for place in looked:
        if all(file_in(place, name) for name in FILES):
            return place
    raise ValueError(f"data: Fashion-MNIST is neither in {looked[0]} nor in {looked[1]}. {WAYS}")


class FashionMNIST(IdxImages):
    """Images of clothes (Xiao et al., arXiv 1708.07747).

    Args:
        folder: that holds the files; None: the cache folder, then where Debian's package puts them.
    """

    name = "fashion_mnist"
    title = "Fashion-MNIST"
    sha256 = SHA256
    licence = "MIT (Zalando SE)"
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

    def place(self) -> Path:
        return find(self.folder)


def main() -> int:
    """Fetch what is not there yet. Returns the exit status: 1 where no way worked."""
    try:
        print(f"Fashion-MNIST is already in {find()}", file=sys.stderr)
        return 0
    except ValueError:
        pass  # not there yet
    reasons = fetch(cache_folder())
    if reasons:
        print(f"Fashion-MNIST could not be fetched ({'; '.join(reasons)}). {WAYS}", file=sys.stderr)
        return 1
    print(f"Fashion-MNIST is in {cache_folder()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
