"""Texts of one's own: to tell the next token of, or their classes, or their values."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from search_spaces import Task
from search_spaces.task import Classes, NextToken, Tokens, Values

from ...preprocessing import Preprocessing, Scaling
from ..base import DataSet, Examples
from ..split import Split, Usual
from .preprocessing import FIRST, fit
from .reading import Texts, parts_of, read_texts
from .tokens import Kind, code, load_tokenizer

logger = logging.getLogger(__name__)

STEPS = 64
"""Tokens of a window, of which the next are told."""
LONGEST = 256
"""Tokens of a text that are taken, where nothing is said."""
MANY = 5
"""Files of a folder stay together in one part where there are at least this many."""
FEW = 20
"""Numbers are classes where there are at most this many different ones, and all are whole."""


@dataclass(frozen=True)
class Text(DataSet):
    """One text or a folder of them, of which the next token is told; or texts with classes or values.

    What `path` is decides: a table (`.csv`, `.tsv`, `.parquet`) has a column of texts and one of targets; a folder of
    folders of `.txt` files has a class for each; a folder of `.txt` files, or any other file, is text to go on with.
    Folders called train, validation and test around these are the parts.

    Next tokens are told in windows of `steps`, which do not overlap: each takes `steps` + 1 tokens in and out. Where
    the split says nothing, parts are blocks of the text, the last for the test; files of a folder stay together where
    there are 5 or more.

    The vocabulary is that of the training examples: 0 fills up, 1 is what it lacks or has but once.

    Args:
        path: a file or a folder.
        tokens: what a text is cut into; words are compared without capitals, and marks are words.
        tokenizer: a file of the package tokenizers, whose tokens are taken instead.
        steps: tokens of an example; longer texts are cut. None: 64 of next tokens, and of others as many as the
            longest text has, at most 256.
        vocabulary: at most this many numbers, 0 and 1 included.
        text: the column of texts.
        target: the column of what is asked.
        target_kind: "classes" or "values"; None: values where there are more than 20 different numbers, or fractions.
        encoding: of files.
        split: how it is split.
    """

    path: Path
    tokens: Kind = "words"
    tokenizer: Path | None = None
    steps: int | None = None
    vocabulary: int = 4096
    text: str = "text"
    target: str | None = None
    target_kind: Literal["classes", "values"] | None = None
    encoding: str = "utf-8"
    split: Split = Split()

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps: expected at least 1, got {self.steps}")
        if self.vocabulary < FIRST + 1:
            raise ValueError(f"vocabulary: expected at least {FIRST + 1}, got {self.vocabulary}")

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The file's or the folder's."""
        return Path(self.path).resolve().stem

    @property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As they were written, sorted."""
        return _load(self).class_names

    @property
    def task(self) -> Task:
        loaded, how = _load(self), self.preprocessing()
        size = FIRST + len(how.parameters()["vocabulary"])
        targets = loaded.examples.targets
        if targets.ndim == 1:
            output = Classes(len(loaded.class_names))
        else:
            output = Values(1) if targets.dtype.kind == "f" else NextToken(size)
        return Task(Tokens(loaded.examples.inputs.shape[1], size), output)

    @property
    def usual_split(self) -> Usual:
        loaded = _load(self)
        if loaded.examples.targets.ndim == 1:
            return "stratified"
        return "random" if loaded.examples.targets.dtype.kind == "f" else "group" if loaded.files >= MANY else "time"

    def place(self) -> Path:
        path = Path(self.path)
        if not path.exists():
            raise ValueError(f"data.path: there is no {path}; expected a text, a table of texts, or a folder of texts")
        return path

    def read(self) -> Examples:
        return _load(self).examples

    def fit(self, train: Examples) -> Preprocessing:
        loaded = _load(self)
        codes, tokenizer = np.asarray(train.inputs), None
        tells_next = train.targets.ndim == 2 and train.targets.dtype.kind == "i"
        if tells_next:
            codes = np.concatenate([codes, train.targets[:, -1:]], 1)  # the last is no input of any window
        if self.tokenizer is not None:
            tokenizer = load_tokenizer(Path(self.tokenizer)).to_str()
        return fit(
            codes,
            loaded.tokens,
            self.vocabulary,
            self.tokens if tokenizer is None else "tokenizer",
            train.inputs.shape[1],
            "last" if tells_next else "first",
            tokenizer,
            Scaling.of(train.targets) if train.targets.dtype.kind == "f" else None,
        )

    def targets(self, part: Examples) -> np.ndarray:
        """Next tokens as the vocabulary numbers them; others as they are."""
        if part.targets.ndim == 2 and part.targets.dtype.kind == "i":
            return self.preprocessing().apply(part.targets)
        return super().targets(part)


@dataclass(frozen=True)
class Loaded:
    """What was read.

    Args:
        examples: of codes of tokens; -1 where a text has ended.
        tokens: what each code stands for.
        class_names: of classes.
        files: how many there were.
    """

    examples: Examples
    tokens: list[str]
    class_names: tuple[str, ...]
    files: int


@lru_cache(maxsize=2)
def _load(data: Text) -> Loaded:
    found = read_texts(data.place(), data.text, data.target, data.split.column, data.encoding)
    names, codes = code(found.texts, data.tokens, None if data.tokenizer is None else Path(data.tokenizer))
    if not names:
        raise ValueError(f"data: there is no {data.tokens[:-1]} in {data.path}")
    if found.labels is None:
        return Loaded(_windows(found, codes, data.steps or STEPS), names, (), len(found.texts))
    empty = sum(not len(one) for one in codes)
    if empty:
        logger.warning(f"data: {empty} of {len(codes)} texts of {data.name} are empty; they are kept")
    steps = data.steps or max(1, min(LONGEST, max(map(len, codes))))
    cut = sum(len(one) > steps for one in codes)
    if cut:
        logger.warning(f"data: {cut} of {len(codes)} texts of {data.name} are longer than {steps} tokens and are cut")
    inputs = np.full((len(codes), steps), -1, np.int32)
    for row, one in enumerate(codes):
        inputs[row, : len(one)] = one[:steps]
    targets, class_names = _targets(found.labels, data.target_kind)
    parts, groups, times = found.parts, None, None
    if found.column is not None:
        if data.split.by == "column":
            parts = parts_of(found.column, f"data.split.column: {data.split.column}")
        elif data.split.by == "time":
            times = np.array(_numbers(found.column) or found.column)
        else:
            groups = np.array(found.column)
    return Loaded(Examples(inputs, targets, parts, groups, times), names, class_names, len(found.names) or 1)


def _windows(found: Texts, codes: list[np.ndarray], steps: int) -> Examples:
    """Windows of each text that do not overlap; what is left at its end is dropped."""
    counts = np.array([len(one) // (steps + 1) for one in codes])
    short = [index for index, count in enumerate(counts) if not count]
    if short and counts.any():
        logger.warning(f"data: {len(short)} texts have fewer than {steps + 1} tokens and are left out")
    if counts.sum() < 3:
        raise ValueError(
            f"data: expected text for three windows of {steps} tokens and the next, {3 * steps + 3} tokens, got"
            f" {sum(map(len, codes))}; give more text, or smaller steps"
        )
    windows = np.concatenate(
        [one[: count * (steps + 1)].reshape(-1, steps + 1) for one, count in zip(codes, counts, strict=True)]
    )
    files = np.repeat(np.arange(len(codes)), counts)
    return Examples(
        windows[:, :-1],
        windows[:, 1:].astype(np.int64),
        None if found.parts is None else found.parts[files],
        files,
        np.arange(len(windows)),
    )


def _targets(labels: list[str], kind: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) int64 classes and their names, or (N, 1) values and none."""
    numbers = _numbers(labels)
    if kind is None and numbers is not None:
        whole = all(number == int(number) for number in numbers)
        kind = "classes" if whole and len(set(numbers)) <= FEW else "values"
    if kind == "values":
        if numbers is None:
            odd = next(label for label in labels if _numbers([label]) is None)
            raise ValueError(f"data.target_kind: expected numbers as values, got {odd!r}")
        if len(set(numbers)) < 2:
            raise ValueError(f"data.target: all {len(labels)} values are {labels[0]}; there is nothing to learn")
        return np.array(numbers, np.float64)[:, None], ()
    names = sorted(set(labels))
    if len(names) < 2:
        raise ValueError(f"data: expected texts of two classes at least, got {len(labels)} of {names[0]!r} alone")
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[label] for label in labels], np.int64), tuple(names)


def _numbers(entries: list[str]) -> list[float] | None:
    """Entries as finite numbers; None where one is none."""
    try:
        found = [float(entry) for entry in entries]
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None
