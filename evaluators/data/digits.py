"""The handwritten digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .images import LabelledImages
from .split import Split


@dataclass(frozen=True)
class Digits(LabelledImages):
    """1,797 images of 8 x 8 pixels with values 0 to 16 (Alpaydin and Kaynak, UCI, 1998).

    Args:
        split: how they are split.
    """

    name = "digits"
    image_shape = (1, 8, 8)
    class_names = tuple("0123456789")
    examples = 1797
    brightest = 16
    licence = "CC BY 4.0 (UCI, through scikit-learn)"

    split: Split = Split()

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits  # here: it takes a second to import

        pixels, labels = load_digits(return_X_y=True)
        return np.asarray(pixels, np.uint8).reshape(-1, 1, 8, 8), np.asarray(labels, np.int64)

    def place(self) -> Path:
        package = find_spec("sklearn")
        folder = Path(package.origin).parent / "datasets" / "data" if package and package.origin else None
        if folder and (folder / "digits.csv.gz").is_file():
            return folder
        raise ValueError("data: the digits are not there. They come with scikit-learn: pip install scikit-learn")
