"""What is to be told of each row, and the column that says how rows are split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qd.errors import clipped

from ..split import FREE, PART_WORDS, Part, Split
from ..targets import MOST_CLASSES, TargetKind
from .reading import RawColumn

FEW = 20
"""Distinct whole numbers that are taken for classes, at most, and a fifth of the rows."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is told.

    Args:
        targets: (N,) int64 classes, or (N, 1) float64 values.
        class_names: empty for values.
    """

    targets: np.ndarray
    class_names: tuple[str, ...]


def tell_target(path: Path, column: RawColumn, kind: TargetKind | None) -> Target:
    """Read the target.

    Args:
        path: for messages.
        column: that holds it.
        kind: as the person says; None: as it looks.

    Raises:
        ValueError: it is missing somewhere, constant, or not what the person says.
    """
    rows, name = len(column.codes), f"{path}: the target {column.name}"
    if column.missing:
        raise ValueError(
            f"{name} is missing in {column.missing:,} of {rows:,} rows. Take these rows out of the file: nothing can be"
            " learnt from them"
        )
    if len(column.values) == 1:
        raise ValueError(f"{name} is {column.texts[0]!r} in all {rows:,} rows: there is nothing to tell apart")
    kind = kind or _looks_like(column)
    if kind == "values":
        return _values(name, column)
    if len(column.values) > MOST_CLASSES:
        raise ValueError(
            f"{name} has {len(column.values):,} distinct values in {rows:,} rows, and at most {MOST_CLASSES:,} classes"
            " can be told apart. Is it the right column? Numbers are told with target_kind: values"
        )
    texts = column.texts
    numbers = np.zeros(len(texts)) if np.isnan(column.numbers).any() else column.numbers
    order = sorted(range(len(texts)), key=lambda index: (numbers[index], texts[index]))
    place = np.argsort(order)
    return Target(place[column.codes].astype(np.int64), tuple(texts[index] for index in order))


def _looks_like(column: RawColumn) -> TargetKind:
    if np.isnan(column.numbers).any():
        return "classes"
    whole = all(text.lstrip("+-").isdigit() for text in column.texts) and not isinstance(column.values[0], float)
    few = len(column.values) <= max(2, min(FEW, len(column.codes) // 5))
    return "classes" if whole and few else "values"


def _values(name: str, column: RawColumn) -> Target:
    numbers, counts = column.numbers, column.counts()
    odd = np.flatnonzero(np.isnan(numbers))
    if len(odd):
        raise ValueError(
            f"{name}: expected numbers, as target_kind: values says, and {int(counts[odd].sum()):,} of"
            f" {len(column.codes):,} are none, such as {clipped(column.texts[odd[0]])!r}"
        )
    infinite = int(counts[np.isinf(numbers)].sum())
    if infinite:
        raise ValueError(f"{name} is infinite in {infinite:,} of {len(column.codes):,} rows; take these rows out")
    return Target(column.rows(numbers)[:, None], ())


def tell_parts(path: Path, column: RawColumn) -> np.ndarray:
    """The part of each row, (N,) int8; rows for training are `FREE` where rows of another part are to be taken of them.

    Raises:
        ValueError: a row is in none, or all are in one.
    """
    known = [PART_WORDS.get(text.lower()) for text in column.texts]
    odd = [text for text, part in zip(column.texts, known, strict=True) if part is None]
    if odd or column.missing:
        what = f"{len(odd)} other values ({clipped(', '.join(odd[:5]))})" if odd else f"{column.missing:,} missing"
        raise ValueError(f"{path}: split.column: expected train, validation or test in {column.name}, got {what}")
    parts = np.array(known, np.int8)[column.codes]
    there = set(parts.tolist())
    if Part.TRAIN not in there or len(there) == 1:
        names = ", ".join(sorted(column.texts))
        raise ValueError(f"{path}: split.column: expected train and another part in {column.name}, got {names}")
    if len(there) < len(Part):
        parts[parts == Part.TRAIN] = FREE
    return parts


def tell_groups(path: Path, column: RawColumn) -> np.ndarray:
    """A number for each row, the same where the column has the same value, (N,) int64.

    Raises:
        ValueError: some rows have none, or all the same.
    """
    _check_there(path, column, "group")
    if len(column.values) < len(Part):
        raise ValueError(
            f"{path}: split.column: expected at least {len(Part)} groups in {column.name}, got {len(column.values)}"
        )
    return column.codes.astype(np.int64)


def tell_times(path: Path, column: RawColumn) -> np.ndarray:
    """The rank of each row's time, (N,) int64: of numbers, dates, or text that begins with the year.

    Raises:
        ValueError: some rows have none, or they cannot be put in order.
    """
    _check_there(path, column, "time")
    times = _comparable(path, column)
    ranks = np.unique(np.asarray(times), return_inverse=True)[1]
    return ranks[column.codes].astype(np.int64)


def _comparable(path: Path, column: RawColumn) -> Sequence[object] | np.ndarray:
    if not np.isnan(column.numbers).any():
        return column.numbers
    if not any(isinstance(value, str) for value in column.values):
        return np.array(column.values, object)  # dates and times of Parquet
    import pandas  # here: it takes a second to import

    try:
        return pandas.to_datetime(list(column.texts), format="ISO8601", utc=True).to_numpy()
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: split.column: expected numbers or dates such as 2026-11-28 or 2026-11-28T17:00 in {column.name},"
            f" got {column.texts[0]!r} and others ({clipped(error)})"
        ) from None


def _check_there(path: Path, column: RawColumn, what: str) -> None:
    if column.missing:
        raise ValueError(
            f"{path}: split.column: expected a {what} in every row, and {column.name} is missing in {column.missing:,}"
            f" of {len(column.codes):,}"
        )


def check_split(split: Split, target: str) -> None:
    """Refuse a split by what is to be told."""
    if split.column == target:
        raise ValueError(f"split.column: {target} is the target; rows are split by another column")
