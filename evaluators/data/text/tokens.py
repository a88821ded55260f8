"""Texts cut into tokens, and tokens as numbers.

Texts are read before anybody knows which of them are for training, so tokens are first numbered as they are found in
all of them (their codes). The preprocessing, fitted to training examples, makes numbers of a vocabulary out of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

Kind = Literal["characters", "words"]
WORD = re.compile(r"\w+|[^\w\s]")
"""A word, or a mark that is none; words are compared without capitals."""


def code(texts: Sequence[str], kind: Kind, tokenizer: Path | None) -> tuple[list[str], list[np.ndarray]]:
    """Number the tokens of texts.

    Args:
        texts: N.
        kind: of tokens.
        tokenizer: a file of the package tokenizers, whose tokens are taken instead; None: those of `kind`.

    Returns:
        What each code stands for, and the codes of each text, int32.

    Raises:
        ValueError: the tokenizer cannot be read.
    """
    if tokenizer is None and kind == "characters":
        points = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
        distinct, codes = np.unique(points, return_inverse=True)
        ends = np.cumsum([len(text) for text in texts])
        return [chr(point) for point in distinct.tolist()], np.split(codes.astype(np.int32), ends[:-1])
    numbers: dict[str, int] = {}
    found = []
    for text in texts:
        cut = (
            WORD.findall(text.lower())
            if tokenizer is None
            else load_tokenizer(tokenizer).encode(text, add_special_tokens=False).tokens
        )
        found.append(np.array([numbers.setdefault(token, len(numbers)) for token in cut], np.int32))
    return list(numbers), found


@lru_cache(maxsize=2)
def load_tokenizer(path: Path) -> Any:
    """The tokenizer in a file.

    Raises:
        ValueError: it is none, or the package is not there.
    """
    try:
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(
            "data.tokenizer: needs the package tokenizers: pip install tokenizers; or leave the key out and say"
            " tokens: words"
        ) from None
    if not path.is_file():
        raise ValueError(f"data.tokenizer: there is no file {path}")
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises nothing more special
        raise ValueError(f"data.tokenizer: {path} is no file of the package tokenizers: {error}") from None
