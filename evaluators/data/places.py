"""Where the data sets are on this machine."""

from __future__ import annotations

from pathlib import Path

from .digits import Digits
from .fashion_mnist import FashionMNIST


def places() -> dict[str, Path | ValueError]:
    """{name: folder of each data set, or the error that says how to get it}; nothing is read or imported."""
    found: dict[str, Path | ValueError] = {}
    for data in (Digits(), FashionMNIST()):
        try:
            found[data.name] = data.place()
        except ValueError as error:
            found[data.name] = error
    return found
