"""Texts of one's own: to tell the next token of, or their classes, or their values."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from search_spaces import Task
from search_spaces.task import Classes, NextToken, Tokens, Values

from ...preprocessing import Preprocessing, Scaling
from ..base import DataSet, Examples
from ..own import read_parts
from ..split import Split, Usual
from ..targets import TargetKind, as_numbers, read_targets
from .preprocessing import FIRST, fit
from .reading import Texts, read_texts
from .tokens import Kind, code, load_tokenizer

logger = logging.getLogger(__name__)

STEPS = 64
"""Tokens of a window, of which the next are told."""
LONGEST = 256
"""Tokens of a text that are taken, where nothing is said."""
MANY = 5
"""Files of a folder stay together in one part where there are at least this many."""


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
        target_kind: what the targets are; None: text and whole numbers are classes, others are values.
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
    target_kind: TargetKind | None = None
    encoding: str = "utf-8"
    split: Split = Split()

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps: expected at least 1, got {self.steps}")
        if self.vocabulary < FIRST + 1:
            raise ValueError(f"vocabulary: expected at least {FIRST + 1}, got {self.vocabulary}")

    @property
    def _loaded(self) -> Loaded:
        """What was read; once for all splits in one process."""
        split = self.split
        return _load(replace(self, split=Split(split.by if split.column else None, split.column)))

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the file or folder."""
        path = Path(self.path).resolve()
        return path.stem if path.is_file() else path.name

    @property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As they were written, sorted."""
        return self._loaded.class_names

    @property
    def task(self) -> Task:
        loaded, how = self._loaded, self.preprocessing()
        size = FIRST + len(how.parameters()["vocabulary"])
        targets = loaded.examples.targets
        if targets.ndim == 1:
            output = Classes(len(loaded.class_names))
        else:
            output = Values(1) if targets.dtype.kind == "f" else NextToken(size)
        return Task(Tokens(loaded.examples.inputs.shape[1], size), output)

    @property
    def usual_split(self) -> Usual:
        loaded = self._loaded
        if loaded.examples.targets.ndim == 1:
            return "stratified"
        return "random" if loaded.examples.targets.dtype.kind == "f" else "group" if loaded.files >= MANY else "time"

    def describe(self) -> list[str]:
        return list(self._loaded.lines)

    def shown(self, raw: np.ndarray) -> list[str]:
        tokens, between = self._loaded.tokens, "" if self.tokens == "characters" else " "
        return [between.join(tokens[code] for code in row.tolist() if code >= 0) for row in raw]

    def place(self) -> Path:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise ValueError(f"data.path: there is no {path}; expected a text, a table of texts, or a folder of texts")
        return path

    def read(self) -> Examples:
        return self._loaded.examples

    def fit(self, train: Examples) -> Preprocessing:
        loaded = self._loaded
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
        lines: how it was understood.
    """

    examples: Examples
    tokens: list[str]
    class_names: tuple[str, ...]
    files: int
    lines: tuple[str, ...]


@lru_cache(maxsize=2)
def _load(data: Text) -> Loaded:
    loaded = _read_all(data)
    for line in loaded.lines:
        logger.info(f"data: {line}")
    return loaded


def _read_all(data: Text) -> Loaded:
    found = read_texts(data.place(), data.text, data.target, data.split.column, data.encoding)
    names, codes = code(found.texts, data.tokens, None if data.tokenizer is None else Path(data.tokenizer))
    if not names:
        raise ValueError(f"data: there is no {data.tokens[:-1]} in {data.path}")
    kind = "tokens of its tokenizer" if data.tokenizer is not None else data.tokens
    said = f"{data.path}: {len(codes):,} texts of {sum(map(len, codes)):,} {kind}, {len(names):,} different ones"
    if found.labels is None:
        examples = _windows(found, codes, data.steps or STEPS)
        lines = [f"{said}; {len(examples):,} windows of {examples.inputs.shape[1]} and the next"]
        short = sum(len(one) <= examples.inputs.shape[1] for one in codes)
        lines += [f"{short} texts are shorter than a window and are left out"] if short else []
        return Loaded(examples, names, (), len(found.texts), tuple(lines))
    steps = data.steps or max(1, min(LONGEST, max(map(len, codes))))
    lines = [said]
    empty, cut = sum(not len(one) for one in codes), sum(len(one) > steps for one in codes)
    lines += [f"{empty} texts are empty, and are kept"] if empty else []
    lines += [f"{cut} texts are longer than {steps} {kind}, and are cut"] if cut else []
    inputs = np.full((len(codes), steps), -1, np.int32)
    for row, one in enumerate(codes):
        inputs[row, : len(one)] = one[:steps]
    targets = read_targets(np.array(found.labels), data.target_kind, f"{data.path}: {data.target or 'classes'}")
    parts, groups, times = found.parts, None, None
    if found.column is not None:
        column = np.array(found.column)
        if data.split.by == "column":
            parts = read_parts(column, f"{data.path}: {data.split.column}")
        elif data.split.by == "time":
            times = as_numbers(column)
        else:
            groups = column
    lines += [targets.said] if targets.said else []
    examples = Examples(inputs, targets.values, parts, groups, times)
    return Loaded(examples, names, targets.class_names, len(found.names) or 1, tuple(lines))


def _windows(found: Texts, codes: list[np.ndarray], steps: int) -> Examples:
    """Windows of each text that do not overlap; what is left at its end is dropped."""
    counts = np.array([len(one) // (steps + 1) for one in codes])
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
