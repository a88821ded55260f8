"""From a row of a table to the numbers that a network takes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...preprocessing import Preprocessing, Scaling
from .columns import Column
from .reading import MISSING, RawColumn

RARE = 3
"""Training rows that a category needs to have a number of its own; what has fewer is "other"."""
MOST = 100
"""Categories of a column with a number of their own: the most frequent ones."""


@dataclass(frozen=True)
class NumberColumn:
    """(value - mean) / scale, the median where it is missing; then 1 where it is missing, if it ever was in training.

    Args:
        name: of the column.
        median: of the training rows' values.
        mean: of the training rows, medians in place of what is missing.
        scale: their standard deviation; 1 where that is 0.
        indicator: whether there is the second number.
    """

    name: str
    median: float
    mean: float
    scale: float
    indicator: bool

    @property
    def size(self) -> int:
        """Numbers that it becomes."""
        return 1 + self.indicator

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(N,) floats, NaN where one is missing → (N, size)."""
        missing = np.isnan(values)
        scaled = (np.where(missing, self.median, values) - self.mean) / self.scale
        return np.stack([scaled, missing] if self.indicator else [scaled], 1)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": "number",
            "name": self.name,
            "median": self.median,
            "mean": self.mean,
            "scale": self.scale,
            "indicator": self.indicator,
        }


@dataclass(frozen=True)
class CategoryColumn:
    """1 in the place of the row's category, 0 in all others.

    The places are those of `categories`, then, if training rows had such values, of a missing one, then of all others.
    What training rows never had is among the others; where those have no place, it is 0 in all.

    Args:
        name: of the column.
        categories: with a place of their own, the most frequent first.
        missing: whether a missing value has a place.
        other: whether others have one.
        source: what the numbers of raw inputs stand for.
    """

    name: str
    categories: tuple[str, ...]
    missing: bool
    other: bool
    source: tuple[str, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """Numbers that it becomes."""
        return len(self.categories) + self.missing + self.other

    def apply(self, codes: np.ndarray) -> np.ndarray:
        """(N,) indices of `source`, NaN where one is missing → (N, size)."""
        places = {text: place for place, text in enumerate(self.categories)}
        other = self.size - 1 if self.other else -1
        missing = len(self.categories) if self.missing else other
        table = np.array([*(places.get(text, other) for text in self.source), missing])
        found = table[np.where(np.isnan(codes), len(self.source), codes).astype(np.int64)]
        return (found[:, None] == np.arange(self.size)).astype(np.float64)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": "category",
            "name": self.name,
            "categories": list(self.categories),
            "missing": self.missing,
            "other": self.other,
        }


@dataclass(frozen=True)
class TablePreprocessing(Preprocessing):
    """Each column becomes one or more numbers, side by side in the order of the columns.

    Args:
        columns: one for each column of raw inputs, (N, columns) float64.
        missing: texts that stand for a missing value.
    """

    kind = "table"
    columns: tuple[NumberColumn | CategoryColumn, ...]
    missing: tuple[str, ...] = MISSING

    @property
    def features(self) -> int:
        """Numbers of a row after preprocessing."""
        return sum(column.size for column in self.columns)

    def apply(self, raw: np.ndarray) -> np.ndarray:
        parts = [column.apply(raw[:, index]) for index, column in enumerate(self.columns)]
        return np.concatenate(parts, 1).astype(np.float32)

    def parameters(self) -> dict[str, Any]:
        return {"columns": [column.plain() for column in self.columns], "missing": list(self.missing)}

    def named(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """{column: (N,) float32, NaN where it is missing, or an object array of text, "" where it is missing}."""
        found = {}
        for index, column in enumerate(self.columns):
            values = raw[:, index]
            if isinstance(column, CategoryColumn):
                texts = np.array([*column.source, ""], object)
                found[column.name] = texts[np.where(np.isnan(values), len(column.source), values).astype(np.int64)]
            else:
                found[column.name] = values.astype(np.float32)
        return found


def fit_columns(
    columns: Sequence[Column], inputs: np.ndarray, missing: Sequence[str], outputs: Scaling | None
) -> TablePreprocessing:
    """Fit the preprocessing to training rows.

    Args:
        columns: of the table that are learnt from.
        inputs: (N, columns) float64 of the training rows.
        missing: texts that stand for a missing value.
        outputs: of values.

    Raises:
        ValueError: no training row has a value of a column.
    """
    fitted = [
        _number(column.raw.name, inputs[:, index])
        if column.kind == "number"
        else _category(column.raw, inputs[:, index])
        for index, column in enumerate(columns)
    ]
    return TablePreprocessing(tuple(fitted), tuple(missing), outputs=outputs)


def _number(name: str, values: np.ndarray) -> NumberColumn:
    missing = np.isnan(values)
    if missing.all():
        raise ValueError(
            f"data: the column {name} is missing in all {len(values):,} training rows; leave_out: [{name}], or split"
            " otherwise"
        )
    median = float(np.median(values[~missing]))
    filled = np.where(missing, median, values)
    return NumberColumn(name, median, float(filled.mean()), float(filled.std()) or 1.0, bool(missing.any()))


def _category(column: RawColumn, codes: np.ndarray) -> CategoryColumn:
    missing = np.isnan(codes)
    counts = np.bincount(codes[~missing].astype(np.int64), minlength=len(column.values))
    order = sorted(range(len(counts)), key=lambda index: (-counts[index], column.texts[index]))
    kept = [index for index in order[:MOST] if counts[index] >= RARE]
    other = counts.sum() > counts[kept].sum()
    names = tuple(column.texts[index] for index in kept)
    return CategoryColumn(column.name, names, bool(missing.any()), bool(other), column.texts)
