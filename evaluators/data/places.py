"""Where the data sets are on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from . import fashion_mnist


def places() -> dict[str, Path | ValueError]:
    """{name: folder of each data set, or the error that says how to get it}; nothing is read or imported."""
    found: dict[str, Path | ValueError] = {"digits": _digits()}
    try:
        found["fashion_mnist"] = fashion_mnist.find()
    except ValueError as error:
        found["fashion_mnist"] = error
    return found


def _digits() -> Path | ValueError:
    package = find_spec("sklearn")
    folder = Path(package.origin).parent / "datasets" / "data" if package and package.origin else None
    if folder and (folder / "digits.csv.gz").is_file():
        return folder
    return ValueError("data: the digits are not there. They come with scikit-learn: pip install scikit-learn")
