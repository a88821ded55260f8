"""Inputs of examples: in memory, or in a file that is larger than memory should be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
    """

    path: Path
    offset: int
    dtype: np.dtype
    size: tuple[int, ...]
    rows: np.ndarray | None = field(default=None, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self), *self.size[1:])

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.size[0] if self.rows is None else len(self.rows)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Read rows: (m, ...), a copy."""
        chosen = (np.arange(len(self)) if self.rows is None else self.rows)[rows]
        # mapped anew each time: pages of a mapping that is kept count as memory of this process once they were read
        whole = np.memmap(self.path, self.dtype, "r", self.offset, self.size)
        return np.array(whole[chosen])

    def take(self, rows: np.ndarray) -> StoredRows:
        """Some of the rows, which are not read."""
        chosen = rows if self.rows is None else self.rows[rows]
        return StoredRows(self.path, self.offset, self.dtype, self.size, chosen)


Inputs = np.ndarray | StoredRows


def take(inputs: Inputs, rows: np.ndarray) -> Inputs:
    """Some rows, in the given order."""
    return inputs.take(rows) if isinstance(inputs, StoredRows) else inputs[rows]
