"""Which kind each column of a table is: told from its values, or as a person says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .reading import RawColumn

Kind = Literal["number", "category", "constant", "empty", "identifier"]
USED: tuple[Kind, ...] = ("number", "category")
KINDS: tuple[Kind, ...] = (*USED, "constant", "empty", "identifier")

DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+(\.\d{3})*,\d+")
IDENTIFIER = re.compile(r"(.*[_ .-])?(id|uuid|guid|index|idx|key)|.*[a-z]I[dD]|unnamed.*", re.IGNORECASE)
MANY = 20
"""Distinct texts, above which most rows having their own makes a column identifiers, or free text."""
WORDS = 3
"""Words of a value, on average, from which such a column is free text."""
MOSTLY = 0.9
"""The share of values that makes a column one of numbers with mistakes in it, or of dates."""


@dataclass(frozen=True)
class Column:
    """A column and what it is.

    Args:
        raw: as it was read.
        kind: "number" and "category" are learnt from; the others are left out.
    """

    raw: RawColumn
    kind: Kind

    def __str__(self) -> str:
        raw = self.raw
        values = f"{len(raw.values):,} distinct" if self.kind != "constant" else f"always {raw.texts[0]!r}"
        left_out = "" if self.kind in USED else ", left out"
        missing = f", {raw.missing:,} missing" if raw.missing else ""
        return f"{raw.name}: {self.kind}{left_out}, {values}{missing}"


def tell_columns(raw: Sequence[RawColumn], numbers: Sequence[str], categories: Sequence[str]) -> list[Column]:
    """Tell the kind of each column.

    Args:
        raw: the columns.
        numbers: names of those that are numbers, whatever they look like.
        categories: names of those that are categories.

    Raises:
        ValueError: some cannot be learnt from as they are; says which, and what to do.
    """
    refused: dict[str, list[str]] = {}
    found = []
    for column in raw:
        if column.name in numbers:
            _check_numbers(column)
            found.append(Column(column, "number"))
        elif column.name in categories:
            found.append(Column(column, "category"))
        else:
            kind = _kind(column)
            if kind in KINDS:
                found.append(Column(column, kind))
            else:
                refused.setdefault(kind, []).append(column.name)
    if refused:
        raise ValueError(
            "data: "
            + "; ".join(
                f"{len(names)} column{'s hold' if len(names) > 1 else ' holds'} {kind} ({', '.join(names[:5])}"
                f"{', …' if len(names) > 5 else ''}): {REFUSED[kind].format(', '.join(names))}"
                for kind, names in refused.items()
            )
        )
    for column in found:
        _check_finite(column)
    return found


REFUSED = {
    "dates": "leave_out: [{0}], or use one as split: {{by: time, column: …}}; what of a date matters, such as the"
    " month, can be a column of its own",
    "free text": "leave_out: [{0}], or learn from the text alone with kind: text; categories: [{0}] takes each value"
    " as a category",
    "numbers with a decimal comma": "write them with a point, or leave_out: [{0}]",
    "numbers, and a few values that are none": "say which of them stand for a missing value, such as missing:"
    " [unknown], or categories: [{0}], or leave_out: [{0}]",
}
"""{what a column holds: what to do}."""


def _kind(column: RawColumn) -> str:
    """One of `KINDS`, or of `REFUSED`."""
    values, rows = column.values, len(column.codes)
    there = rows - column.missing
    if not values:
        return "empty"
    if len(values) == 1 and not column.missing:
        return "constant"
    numbers = ~np.isnan(column.numbers)
    if numbers.all():
        return "identifier" if _are_identifiers(column) else "number"
    if all(isinstance(value, bool) for value in values):
        return "category"
    if any(not isinstance(value, str) for value in values):  # dates and times of Parquet
        return "dates"
    texts = column.texts
    counts = column.counts()

    def share(which: np.ndarray | list[bool]) -> float:
        return float(counts[np.asarray(which)].sum() / there)

    if share([bool(DATE.fullmatch(text)) for text in texts]) >= MOSTLY:
        return "dates"
    commas = [bool(DECIMAL_COMMA.fullmatch(text)) for text in texts]
    if any(commas) and share(numbers | np.array(commas)) >= MOSTLY:
        return "numbers with a decimal comma"
    if numbers.sum() > MANY and share(numbers) >= MOSTLY:
        return "numbers, and a few values that are none"
    if len(values) > max(MANY, there / 2):
        return "free text" if np.mean([len(text.split()) for text in texts]) >= WORDS else "identifier"
    return "category"


def _are_identifiers(column: RawColumn) -> bool:
    """Whether whole numbers are a row each: 1, 2, 3, ..., or all distinct under a name such as customer_id."""
    numbers = column.numbers
    if len(numbers) != len(column.codes) or (numbers != np.round(numbers)).any() or np.isinf(numbers).any():
        return False
    return bool(IDENTIFIER.fullmatch(column.name)) or bool((np.diff(numbers) == 1).all() and len(numbers) > MANY)


def _check_numbers(column: RawColumn) -> None:
    odd = np.flatnonzero(np.isnan(column.numbers))
    if len(odd):
        rows = int(column.counts()[odd].sum())
        raise ValueError(
            f"numbers: {column.name} has {rows:,} values that are no number, such as {column.texts[odd[0]]!r}. Say"
            " which stand for a missing value (missing: […]), or take it out of numbers"
        )


def _check_finite(column: Column) -> None:
    if column.kind == "number" and np.isinf(column.raw.numbers).any():
        count = int(column.raw.counts()[np.isinf(column.raw.numbers)].sum())
        raise ValueError(
            f"data: the column {column.raw.name} has {count:,} infinite values. Mend them, leave them empty"
            f" (missing: [inf, -inf]), or leave_out: [{column.raw.name}]"
        )
