"""What data sets of texts have in common: tokens, a vocabulary, windows."""

from __future__ import annotations

import logging
from abc import abstractmethod
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
from .reading import Texts
from .tokens import Kind, code, load_tokenizer

logger = logging.getLogger(__name__)

STEPS = 64
"""Tokens of a window, of which the next are told."""
LONGEST = 256
"""Tokens of a text that are taken, where nothing is said."""
MANY = 5
"""Files of a folder stay together in one part where there are at least this many."""


class TextData(DataSet):
    """Texts, to tell the next token of, or their classes, or their values.

    A kind is a frozen dataclass with `split` and whichever of the attributes below among its fields.
    """

    tokens: Kind = "words"
    """What a text is cut into."""
    tokenizer: Path | None = None
    """A file of the package tokenizers, whose tokens are taken instead."""
    steps: int | None = None
    """Tokens of an example; None: 64 of next tokens, and of others as many as the longest text has, at most 256."""
    vocabulary: int = 4096
    """At most this many numbers."""
    target_kind: TargetKind | None = None
    """What targets are."""

    @abstractmethod
    def open(self) -> Texts:
        """Read the texts.

        Raises:
            ValueError: they are not such as are expected.
        """

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps: expected at least 1, got {self.steps}")
        if self.vocabulary < FIRST + 1:
            raise ValueError(f"vocabulary: expected at least {FIRST + 1}, got {self.vocabulary}")

    @property
    def _loaded(self) -> Loaded:
        """What was read; once for all splits in one process."""
        split = self.split
        return _load(replace(self, split=Split(split.by if split.column else None, split.column)))  # pyright: ignore[reportArgumentType]

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
def _load(data: TextData) -> Loaded:
    loaded = _read_all(data)
    for line in loaded.lines:
        logger.info(f"data: {line}")
    return loaded


def _read_all(data: TextData) -> Loaded:
    found, where = data.open(), f"data: {data.name}"
    names, codes = code(found.texts, data.tokens, None if data.tokenizer is None else Path(data.tokenizer))
    if not names:
        raise ValueError(f"{where}: there is no {data.tokens[:-1]} in it")
    kind = "tokens of its tokenizer" if data.tokenizer is not None else data.tokens
    said = f"{data.name}: {len(codes):,} texts of {sum(map(len, codes)):,} {kind}, {len(names):,} different ones"
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
    targets = read_targets(np.array(found.labels), data.target_kind, f"{data.name}: {found.asked}")
    parts, groups, times = found.parts, None, None
    if found.column is not None:
        column = np.array(found.column)
        if data.split.by == "column":
            parts = read_parts(column, f"{data.name}: {data.split.column}")
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
