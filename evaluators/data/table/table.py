"""Rows of a CSV, TSV or Parquet file, and a column of them that is to be told from the others."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from qd.errors import suggest
from search_spaces import Task
from search_spaces.task import Classes, Values, Vector

from ...preprocessing import Scaling
from ..base import DataSet, Examples
from ..split import Split
from .columns import USED, Column, tell_columns
from .preprocessing import TablePreprocessing, fit_columns
from .reading import MISSING, SUFFIXES, read_columns
from .target import Target, TargetKind, check_split, tell_groups, tell_parts, tell_target, tell_times

logger = logging.getLogger(f"qd.{__name__}")


@dataclass(frozen=True)
class Table(DataSet):
    """A table with names of columns in the first line, and one column that is to be told from the others.

    Of each column it is told whether it holds numbers or categories; what is constant, empty, or a number of the row
    is left out. A missing number is taken for the median of the training rows, and a second number says that it was
    missing; a missing category is one of its own. Categories that few training rows have, or none, are one: others.

    Args:
        path: of a .csv, .tsv or .parquet file.
        target: the column that is told.
        target_kind: "classes" or "values"; None: text, truth values and few whole numbers are classes.
        numbers: columns that are numbers, whatever they look like.
        categories: columns that are categories, such as whole numbers that stand for something.
        leave_out: columns that are not read.
        missing: texts that stand for a missing value, beside the usual ones such as NA and ?.
        separator: of a CSV file; None: comma, semicolon, tab or |, as the first lines have it.
        encoding: of a CSV file; None: UTF-8.
        split: how rows are split; `column` names one of the table, which is not learnt from.
    """

    stratified: ClassVar[bool] = True

    path: Path
    target: str
    target_kind: TargetKind | None = None
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    separator: str | None = None
    encoding: str | None = None
    split: Split = Split()

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).expanduser())
        object.__setattr__(self, "name", self.path.stem)
        if self.path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"path: expected a file that ends in {', '.join(SUFFIXES)}, got {self.path}")
        if self.separator is not None and len(self.separator) != 1:
            raise ValueError(f"separator: expected one character, got {self.separator!r}")
        named = [self.target, *self.numbers, *self.categories, *self.leave_out]
        for name, count in Counter(named).items():
            if count > 1:
                raise ValueError(f"{name} stands in several of target, numbers, categories and leave_out; say which")
        check_split(self.split, self.target)

    @property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Texts of the target, sorted; empty for values."""
        return self._content.target.class_names

    @property
    def task(self) -> Task:
        output = Classes(len(self.class_names)) if self.class_names else Values(1)
        preprocessing = self.preprocessing()
        assert isinstance(preprocessing, TablePreprocessing)
        return Task(Vector(preprocessing.features), output)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns but the target and that of the split, with their kinds."""
        return self._content.columns

    def place(self) -> Path:
        if not self.path.is_file():
            raise ValueError(f"data: expected a table at {self.path}, and there is no such file")
        return self.path

    def read(self) -> Examples:
        return self._content.examples

    def fit(self, train: Examples) -> TablePreprocessing:
        assert isinstance(train.inputs, np.ndarray)
        outputs = None if self.class_names else Scaling.of(train.targets)
        return fit_columns(self._content.used, train.inputs, self._missing, outputs)

    def check(self) -> None:
        super().check()
        self.preprocessing()
        found = self._content
        told = f"{len(self.class_names)} classes" if self.class_names else "values"
        kinds = Counter(column.kind for column in found.columns if column.kind in USED)
        left_out = [f"{column.raw.name} ({column.kind})" for column in found.columns if column.kind not in USED]
        logger.info(
            f"{self.path.name}: {len(found.examples):,} rows; {self.target} is told as {told}, from"
            f" {kinds['number']} columns of numbers and {kinds['category']} of categories"
            + (f"; left out: {', '.join(left_out)}" if left_out else "")
        )

    def describe(self) -> list[str]:
        return [str(column) for column in self.columns]

    def shown(self, raw: np.ndarray) -> list[dict[str, Any]]:
        used = self._content.used
        return [{one.raw.name: _text_of(one, value) for one, value in zip(used, row, strict=True)} for row in raw]

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "columns": {column.raw.name: column.kind for column in self.columns}}

    @property
    def _missing(self) -> tuple[str, ...]:
        return (*MISSING, *(text.strip() for text in self.missing if text.strip() not in MISSING))

    @property
    def _content(self) -> _Content:
        return _content(replace(self, split=Split(by=self.split.by, column=self.split.column)))


@dataclass(frozen=True, eq=False)
class _Content:
    """What is in the file, however it is split."""

    columns: tuple[Column, ...]
    target: Target
    examples: Examples

    @property
    def used(self) -> list[Column]:
        return [column for column in self.columns if column.kind in USED]


@lru_cache(maxsize=2)
def _content(table: Table) -> _Content:
    path, split = table.place(), table.split
    names, raw = read_columns(path, table.separator, table.encoding, table._missing, table.leave_out)
    for key, wanted in (
        ("target", (table.target,)),
        ("numbers", table.numbers),
        ("categories", table.categories),
        ("leave_out", table.leave_out),
        ("split.column", (split.column,) if split.column else ()),
    ):
        for name in wanted:
            if name not in names or (name not in raw and key != "leave_out"):
                raise ValueError(f"{key}: {path} has no column {name!r}{suggest(name, names)}")
    target = tell_target(path, raw[table.target], table.target_kind)
    others = [column for name, column in raw.items() if name not in (table.target, split.column)]
    columns = tell_columns(others, table.numbers, table.categories)
    used = [column for column in columns if column.kind in USED]
    if not used:
        listed = "; ".join(map(str, columns)) or "there is no other column"
        raise ValueError(f"{path}: no column is left to tell {table.target} from ({listed})")
    inputs = np.stack([_numbers_of(column) for column in used], 1)
    by = raw[split.column] if split.column else None
    examples = Examples(
        inputs,
        target.targets,
        tell_parts(path, by) if by and split.by == "column" else None,
        tell_groups(path, by) if by and split.by == "group" else None,
        tell_times(path, by) if by and split.by == "time" else None,
    )
    return _Content(tuple(columns), target, examples)


def _numbers_of(column: Column) -> np.ndarray:
    """(N,) float64: numbers, or indices of categories; NaN where one is missing."""
    raw = column.raw
    return raw.rows(raw.numbers if column.kind == "number" else np.arange(len(raw.values)))


def _text_of(column: Column, value: float) -> str | float | None:
    """A raw input as it stands in the file, None where it is missing."""
    if np.isnan(value):
        return None
    return float(value) if column.kind == "number" else column.raw.values[int(value)]
