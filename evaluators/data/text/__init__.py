"""Texts of one's own: to tell the next token of, or their classes, or their values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..split import Split
from ..targets import TargetKind
from .base import TextData
from .reading import Texts, read_texts
from .tokens import Kind


@dataclass(frozen=True)
class Text(TextData):
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

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the file or folder."""
        path = Path(self.path).resolve()
        return path.stem if path.is_file() else path.name

    def place(self) -> Path:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise ValueError(f"data.path: there is no {path}; expected a text, a table of texts, or a folder of texts")
        return path

    def open(self) -> Texts:
        return read_texts(self.place(), self.text, self.target, self.split.column, self.encoding)
