"""From codes of tokens to numbers of a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...preprocessing import Preprocessing, Scaling

PADDING, UNKNOWN, FIRST = 0, 1, 2
"""What fills up a text, what the vocabulary lacks, and the first token of the vocabulary."""
RARE = 2
"""A token that occurs less often in training is unknown, so that networks learn what to make of such."""


@dataclass(frozen=True)
class TextPreprocessing(Preprocessing):
    """Codes become numbers of the vocabulary; what it lacks is 1, and -1, where there is nothing, is 0.

    Args:
        ids: (codes + 1,) int64, the number of each code; the last is 0, so that -1 is.
        vocabulary: tokens 2, 3, ...
        tokens: "characters", "words", or "tokenizer".
        steps: at most this many of a text are taken.
        keep: "first" or "last" of a text that is longer.
        tokenizer: as the package tokenizers writes it; None where there is none.
    """

    kind = "text"
    ids: np.ndarray
    vocabulary: tuple[str, ...]
    tokens: str
    steps: int
    keep: str = "first"
    tokenizer: str | None = None

    def apply(self, raw: np.ndarray) -> np.ndarray:
        return self.ids[raw]

    def parameters(self) -> dict[str, Any]:
        """What turns texts into numbers: the codes are nobody's business outside of the data set."""
        names = ("tokens", "steps", "keep", "tokenizer")
        return {"vocabulary": list(self.vocabulary), **{name: getattr(self, name) for name in names}}


def fit(
    codes: np.ndarray,
    names: list[str],
    most: int,
    tokens: str,
    steps: int,
    keep: str,
    tokenizer: str | None,
    outputs: Scaling | None,
) -> TextPreprocessing:
    """The commonest tokens of training texts.

    Args:
        codes: of training texts, of any shape; below 0 there is nothing.
        names: what each code stands for.
        most: numbers of the vocabulary, 0 and 1 included.
        tokens: see `TextPreprocessing`.
        steps: see `TextPreprocessing`.
        keep: see `TextPreprocessing`.
        tokenizer: see `TextPreprocessing`.
        outputs: scaling of values.
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    common = [index for index in np.flatnonzero(counts >= RARE).tolist()]
    common = sorted(common, key=lambda index: (-counts[index], names[index]))[: most - FIRST]
    ids = np.full(len(names) + 1, UNKNOWN, np.int64)
    ids[common] = np.arange(FIRST, FIRST + len(common))
    ids[-1] = PADDING
    vocabulary = tuple(names[index] for index in common)
    return TextPreprocessing(ids, vocabulary, tokens, steps, keep, tokenizer, outputs=outputs)
