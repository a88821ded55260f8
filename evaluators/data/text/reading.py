"""Texts as they lie in files: one text, a folder of them, folders by class, or a column of a table."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qd.errors import suggest

from ..own import parts_of
from ..split import PART_WORDS

LARGEST = 2**28
"""Bytes of all texts together: they are kept in memory, twelve bytes for each token."""
TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Texts:
    """What was found.

    Args:
        texts: N.
        labels: N, the class or the value of each as it was written; None where there are none.
        names: N, of their files; empty where they come from one.
        parts: N, what was said of the part of each; None: nothing.
        column: N entries of the column that the split names; None: it names none.
        asked: what labels are called, for messages.
    """

    texts: list[str]
    labels: list[str] | None = None
    names: tuple[str, ...] = ()
    parts: np.ndarray | None = None
    column: list[str] | None = None
    asked: str = "classes"


def read_texts(path: Path, text: str, target: str | None, split_column: str | None, encoding: str) -> Texts:
    """Read whatever is there.

    Args:
        path: a file or a folder.
        text: the column of texts, where it is a table.
        target: the column of what is asked, where it is a table.
        split_column: the column that the split names.
        encoding: of files.

    Raises:
        ValueError: it is nothing of the sort; says what was expected.
    """
    if path.is_dir():
        return _read_folder(path, encoding)
    if path.suffix.lower() in TABLES:
        return _read_table(path, text, target, split_column, encoding)
    if target is not None:
        raise ValueError(f"data.target: goes with a table of texts ({', '.join(TABLES)}), and {path} is one text")
    return Texts([read_text(path, encoding)])


def read_text(path: Path, encoding: str) -> str:
    """The content of a file.

    Raises:
        ValueError: it is too large, or no text of this encoding.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"data: {path} has {size / 2**20:,.0f} MB; at most {LARGEST >> 20} MB of text are taken")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"data: {path} is no text in {encoding}: byte {content[error.start]:#04x} at {error.start:,}. Say how it is"
            " encoded, such as encoding: latin-1"
        ) from None
    except LookupError:
        raise ValueError(f"data.encoding: there is no encoding {encoding!r}; utf-8 and latin-1 are common") from None
    if "\0" in text:
        raise ValueError(f"data: {path} is no text: it holds a zero at {text.index(chr(0)):,}")
    return text.replace("\r\n", "\n")


def _read_folder(folder: Path, encoding: str) -> Texts:
    """Files of one folder, or folders of classes, which may lie in folders of parts."""
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise ValueError(f"data: {folder} holds no file that ends in .txt, nor do its folders")
    inner = [path.relative_to(folder).parts[:-1] for path in files]
    texts = [read_text(path, encoding) for path in files]
    parts = [PART_WORDS.get(one[0].lower()) if one else None for one in inner]
    known = [part for part in parts if part is not None]
    given = None
    if len(known) == len(parts):
        inner, given = [one[1:] for one in inner], parts_of(known)
    names = tuple(str(path.relative_to(folder)) for path in files)
    if not any(inner):
        return Texts(texts, None, names, given)
    loose = [name for name, one in zip(names, inner, strict=True) if not one]
    if loose:
        raise ValueError(
            f"data: expected texts in folders by class in {folder}, but {len(loose)} lie outside, such as {loose[0]}"
        )
    return Texts(texts, [one[0] for one in inner], names, given)


def _read_table(path: Path, text: str, target: str | None, split_column: str | None, encoding: str) -> Texts:
    rows: dict[str, list[Any]]
    wanted = {"text": text, "target": target, "split.column": split_column}
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        rows = {name: table[name].to_pylist() for name in table.column_names if name in wanted.values()}
        columns = table.column_names
    else:
        columns, rows = _read_csv(path, encoding)
    if target is None:
        raise ValueError(f"data.target: which column of {path} is asked? It has {', '.join(columns)}")
    for key, name in wanted.items():
        if name is not None and name not in columns:
            raise ValueError(f"data.{key}: {path} has no column {name!r}{suggest(name, columns)}")
    labels = ["" if value is None else str(value) for value in rows[target]]
    column = None if split_column is None else [str(value) for value in rows[split_column]]
    return Texts(["" if value is None else str(value) for value in rows[text]], labels, column=column, asked=target)


def _read_csv(path: Path, encoding: str) -> tuple[list[str], dict[str, list[str]]]:
    lines = read_text(path, encoding).splitlines(keepends=True)
    if not lines:
        raise ValueError(f"data: {path} is empty")
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=lines[0].count)
    limit = csv.field_size_limit(LARGEST)  # of the whole process: it is put back
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        columns = next(reader)
        rows = []
        for row in reader:
            if len(row) != len(columns) and row:
                raise ValueError(
                    f"data: line {reader.line_num} of {path} ends a row of {len(row)} fields, and the first line names"
                    f" {len(columns)}; a text that holds {separator!r} or a new line stands in quotes"
                )
            rows += [row] if row else []
    except csv.Error as error:
        raise ValueError(f"data: {path}: line {reader.line_num}: {error}") from None
    finally:
        csv.field_size_limit(limit)
    return columns, {name: [row[index] for row in rows] for index, name in enumerate(columns)}
