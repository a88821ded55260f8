"""Series of the UCR and UEA archives: where they are, and how they are read. As a program, it fetches them.

python -m evaluators.data.ucr
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .own import Found, OwnData
from .packages import Fetched, Package
from .series import find_files, read_series
from .split import Split

PACKAGE = Package(
    "pypi", "aeon", "1.6.0", "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409", megabytes=7
)
Name = Literal["ItalyPowerDemand", "GunPoint", "BasicMotions", "JapaneseVowels"]
NAMES: tuple[Name, ...] = ("ItalyPowerDemand", "GunPoint", "BasicMotions", "JapaneseVowels")
FILES = Fetched(
    "ucr",
    "The series of the UCR archive are",
    PACKAGE,
    tuple(f"aeon/datasets/data/{name}/{name}_{part}.ts" for name in NAMES for part in ("TRAIN", "TEST")),
)


@dataclass(frozen=True)
class UCR(OwnData):
    """A set of the UCR and UEA archives (Dau et al., arXiv 1810.07758; Bagnall et al., arXiv 1811.00075).

    The test split is the published one.
    ItalyPowerDemand: 67 and 1,029 days of 24 hours, of summer or winter. GunPoint: 50 and 150 movements of 150 steps.
    BasicMotions: 40 and 40 of 100 steps on 6 channels, 4 classes. JapaneseVowels: 270 and 370 of 7 to 29 steps on 12
    channels, by 9 speakers.

    Args:
        series: which.
        split: how they are split.
    """

    licence = "free for research with a citation (UCR and UEA archives, through aeon)"

    series: Name = "ItalyPowerDemand"
    split: Split = Split()

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.series

    def place(self) -> Path:
        return FILES.place()

    def open(self) -> Found:
        return read_series(find_files(self.place() / f"{self.series}_TRAIN.ts"), self.split)


if __name__ == "__main__":
    sys.exit(FILES.main())
