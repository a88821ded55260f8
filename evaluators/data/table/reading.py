"""Reads the columns of a CSV, TSV or Parquet file, with what is distinct in each."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qd.errors import clipped, suggest

MISSING = ("", "-", "?", "<NA>", "#N/A", "N/A", "n/a", "NA", "NaN", "nan", "NULL", "Null", "null", "None")
"""What stands for a missing value, spaces around it left out; a number also where it is written otherwise."""
SEPARATORS = (",", ";", "\t", "|")
SNIFFED = 20
"""Lines that tell the separator."""
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf(inity)?)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class RawColumn:
    """A column as it was read.

    Args:
        name: of the column.
        codes: (N,) int32, which of `values` each row has; -1: it is missing.
        values: the distinct ones, in order of appearance: text, or what Parquet has.
        numbers: `values` as float64, (values,); NaN where one is no number.
    """

    name: str
    codes: np.ndarray
    values: tuple[Any, ...]
    numbers: np.ndarray

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return int((self.codes < 0).sum())

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """`values` as text."""
        return tuple(as_text(value) for value in self.values)

    def rows(self, of_values: np.ndarray) -> np.ndarray:
        """For each row what its value has in an array of floats, (N,); NaN where it is missing."""
        return np.append(of_values.astype(np.float64), np.nan)[self.codes]

    def counts(self) -> np.ndarray:
        """Rows of each of `values`, (values,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))


def as_text(value: Any) -> str:
    """A value as the name of a category; whole numbers are written without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def as_number(value: Any) -> float:
    """A value as a number, NaN where it is none."""
    if isinstance(value, str):
        return float(value) if NUMBER.fullmatch(value) else math.nan
    return float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else math.nan


def read_columns(
    path: Path, separator: str | None, encoding: str | None, missing: Collection[str], leave_out: Collection[str]
) -> tuple[list[str], dict[str, RawColumn]]:
    """Read a file.

    Args:
        path: of the file.
        separator: of a CSV file; None: what its first lines have.
        encoding: of a CSV file; None: UTF-8, with a byte order mark or without.
        missing: texts that stand for no value.
        leave_out: columns that are not read.

    Returns:
        All names, and the columns that were read.

    Raises:
        ValueError: it cannot be read; says where and why.
    """
    import pyarrow

    try:
        if path.suffix.lower() == ".parquet":
            names, table = _read_parquet(path, leave_out)
        else:
            names, table = _read_csv(path, separator, encoding, leave_out)
    except (pyarrow.ArrowException, csv.Error) as error:
        raise ValueError(f"{path}: the file is damaged, or no {path.suffix[1:]} file: {clipped(error)}") from error
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    if not len(table):
        raise ValueError(f"{path}: there is no row below the names of the columns")
    return names, {name: _column(name, column, missing) for name, column in table.items()}


def _column(name: str, column: Any, missing: Collection[str]) -> RawColumn:
    import pyarrow
    from pyarrow import compute, types

    array = column.combine_chunks()
    if types.is_null(array.type):
        return RawColumn(name, np.full(len(array), -1, np.int32), (), np.empty(0))
    texts = types.is_string(array.type) or types.is_large_string(array.type)
    encoded = (compute.utf8_trim_whitespace(array) if texts else array).dictionary_encode()  # pyright: ignore
    values = encoded.dictionary.to_pylist()
    numbers = _numbers(encoded.dictionary, values)
    gone = np.isin(numbers, [number for text in missing if not math.isnan(number := as_number(text))])
    if texts:
        gone |= compute.is_in(encoded.dictionary, pyarrow.array(missing, encoded.dictionary.type)).to_numpy(  # pyright: ignore
            zero_copy_only=False
        )
    elif types.is_floating(array.type):
        gone |= np.isnan(numbers)
    kept = np.flatnonzero(~gone)
    places = np.full(len(values) + 1, -1, np.int32)
    places[kept] = np.arange(len(kept))
    indices = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return RawColumn(name, places[indices], tuple(values[place] for place in kept.tolist()), numbers[kept])


def _numbers(dictionary: Any, values: Sequence[Any]) -> np.ndarray:
    """Distinct values as float64; NaN where one is no number."""
    import pyarrow
    from pyarrow import types

    if types.is_boolean(dictionary.type) or types.is_temporal(dictionary.type):
        return np.full(len(values), np.nan)
    try:
        return dictionary.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
    except pyarrow.ArrowException:
        return np.array([as_number(value) for value in values], np.float64)


def _read_parquet(path: Path, leave_out: Collection[str]) -> tuple[list[str], dict[str, Any]]:
    from pyarrow import parquet, types

    schema = parquet.read_schema(path)
    _check_names(path, schema.names)
    wanted = [field for field in schema if field.name not in leave_out]
    odd = []
    for field in wanted:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind) or types.is_duration(kind):
            odd.append((field.name, str(kind)))
    if odd:
        listed = "; ".join(f"{name}: {clipped(kind, 60)}" for name, kind in odd[:5])
        raise ValueError(
            f"{path}: expected columns of numbers, text or truth values, and {len(odd)} hold something else ({listed})."
            f" Take out of them what matters as columns of their own, or leave_out: [{_names(odd)}]"
        )
    table = parquet.read_table(path, columns=[field.name for field in wanted])
    columns = {}
    for field in wanted:
        column = table.column(field.name)
        columns[field.name] = column.cast(field.type.value_type) if types.is_dictionary(field.type) else column
    return list(schema.names), columns if table.num_rows else {}


def _names(columns: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(name for name, *_ in columns)


def _read_csv(
    path: Path, separator: str | None, encoding: str | None, leave_out: Collection[str]
) -> tuple[list[str], dict[str, Any]]:
    import pyarrow
    from pyarrow import csv as arrow

    decoded = "utf-8-sig" if encoding is None else encoding
    _check_encoding(path, decoded, encoding is None)
    separator = separator or ("\t" if path.suffix.lower() == ".tsv" else _sniff(path, decoded))
    with path.open(encoding=decoded, newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        names = [name.strip() or f"unnamed {place}" for place, name in enumerate(next(filter(None, reader), []), 1)]
        lines = reader.line_num
    _check_names(path, names)
    if all(NUMBER.fullmatch(name) for name in names):
        raise ValueError(f"{path}: expected names of columns in the first line, got {clipped(', '.join(names))}")
    if len(names) < 2:
        raise ValueError(
            f"{path}: expected two columns at least, got {names[0]!r} alone with {separator!r} between columns; say"
            " which character it is, such as separator: ';'"
        )
    wanted = [name for name in names if name not in leave_out]
    ragged = []
    table = arrow.read_csv(
        path,
        arrow.ReadOptions(encoding=encoding or "utf8", column_names=names, skip_rows=lines),
        arrow.ParseOptions(
            delimiter=separator,
            newlines_in_values=True,
            invalid_row_handler=lambda row: ragged.append(row) or "skip",
        ),
        arrow.ConvertOptions(column_types=dict.fromkeys(wanted, pyarrow.string()), include_columns=wanted),
    )
    if ragged:
        raise ValueError(_ragged(path, decoded, separator, len(names)))
    return names, {name: table.column(name) for name in wanted} if table.num_rows else {}


def _check_names(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise ValueError(f"{path}: expected names of columns in the first line, and the file is empty")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: {len(twice)} names stand for several columns: {', '.join(twice[:5])}")


def _check_encoding(path: Path, encoding: str, default: bool) -> None:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        known = ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "iso8859-15", "shift_jis", "gb18030"]
        raise ValueError(f"encoding: there is none called {encoding!r}{suggest(encoding, known)}") from None
    place, line = 0, 1
    with path.open("rb") as file:
        while block := file.read(2**20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                before = max(0, error.start - (len(error.object) - len(block)))
                name = "UTF-8" if default else encoding
                raise ValueError(
                    f"{path}: byte {place + before} (line {line + block[:before].count(10)}) is"
                    f" 0x{block[before]:02X}, which is no {name}; say how the text is written, such as encoding: cp1252"
                    " (Windows), latin-1 or utf-16"
                ) from None
            place, line = place + len(block), line + block.count(10)


def _sniff(path: Path, encoding: str) -> str:
    """The separator with which the first lines have equally many columns; of several, the one with most of them."""
    with path.open(encoding=encoding, newline="") as file:
        lines = [line for _, line in zip(range(SNIFFED), file, strict=False)]

    def worth(separator: str) -> tuple[bool, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator) if row]
        return (len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0)

    return max(SEPARATORS, key=worth)


def _ragged(path: Path, encoding: str, separator: str, width: int) -> str:
    """What to say of rows with too many or too few values; the file is read again for their lines."""
    found = []
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        for row in reader:
            if row and len(row) != width:
                found.append((reader.line_num, len(row)))
    listed = ", ".join(f"line {line} has {size}" for line, size in found[:5])
    more = f", and {len(found) - 5} more" if len(found) > 5 else ""
    return (
        f"{path}: expected {width} values in every row, as the first line has names ({separator!r} stands between"
        f" them): {listed}{more}. Put values that hold the separator into double quotes, or mend these lines"
    )
