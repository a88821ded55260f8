"""Inputs of examples: in memory, or in a file that is larger than memory should be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import FileIO
from itertools import pairwise
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class StoredRows:
    """Rows of an array in a file. Only those that are asked for are read, and nothing of them is kept.

    Args:
        path: of the file.
        offset: bytes before the array's first number; the array is in C order.
        dtype: of its numbers.
        size: of the whole array, (N, ...).
        rows: (n,) int64, which rows these are; None: all.
        axes: of the file, 0 the rows', in the order in which rows have them; None: as they lie there.
    """

    path: Path
    offset: int
    dtype: np.dtype
    size: tuple[int, ...]
    rows: np.ndarray | None = field(default=None, compare=False)
    axes: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self), *(self.size[axis] for axis in (self.axes or range(len(self.size)))[1:]))

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.size[0] if self.rows is None else len(self.rows)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Read rows: (m, ...), a copy.

        They are read and not mapped: of a mapping, pages around each row would count as memory of this process, and
        a file that somebody cuts off would end it.

        Args:
            rows: a slice, or (m,) whole numbers of at least 0.

        Raises:
            ValueError: the file has become shorter.
        """
        if self.rows is not None:
            chosen = self.rows[rows]
        else:
            chosen = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        width = math.prod(self.size[1:]) * self.dtype.itemsize
        content = np.empty((len(chosen), width), np.uint8)
        starts = np.flatnonzero(np.diff(chosen, prepend=-2) != 1)  # of rows that follow one another in the file
        with self.path.open("rb", buffering=0) as file:
            for start, end in pairwise([*starts.tolist(), len(chosen)]):
                file.seek(self.offset + int(chosen[start]) * width)
                _fill(file, content[start:end].reshape(-1).data, self.path)
        found = content.view(self.dtype).reshape(len(chosen), *self.size[1:])
        return found if self.axes is None else np.ascontiguousarray(found.transpose(self.axes))

    def take(self, rows: np.ndarray) -> StoredRows:
        """Some of the rows, which are not read."""
        chosen = rows if self.rows is None else self.rows[rows]
        return replace(self, rows=chosen)


def _fill(file: FileIO, wanted: memoryview, path: Path) -> None:
    while wanted:
        read = file.readinto(wanted)
        if not read:
            raise ValueError(f"data: {path}: the file has become shorter since it was looked at")
        wanted = wanted[read:]


Inputs = np.ndarray | StoredRows
IN_MEMORY = 2**27
"""Bytes of raw inputs that are kept in memory; where there are more, they stay in a file."""
AT_ONCE = 2**22
"""Numbers that are read at once."""


def take(inputs: Inputs, rows: np.ndarray) -> Inputs:
    """Some rows, in the given order."""
    return inputs.take(rows) if isinstance(inputs, StoredRows) else inputs[rows]


def blocks(inputs: Inputs, step: int = 1) -> Iterator[np.ndarray]:
    """All rows, or every `step`-th, a few million numbers at once."""
    rows = max(1, AT_ONCE // max(1, math.prod(inputs.shape[1:]))) * step
    return (inputs[start : start + rows : step] for start in range(0, len(inputs), rows))
