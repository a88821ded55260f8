"""Series of one's own, and those of the UCR and UEA archives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search_spaces import Task
from search_spaces.task import Series as SeriesInput

from .arrays import Arrays
from .base import Examples
from .own import Found, OwnData, parts_of
from .split import Part, Split
from .targets import read_targets
from .ts import SeriesFile, read_ts


@dataclass(frozen=True)
class Series(OwnData):
    """Series and their classes or values: `.ts` files of the UCR and UEA archives, or arrays of an `.npz` file.

    A file `NAME_TRAIN.ts` goes with `NAME_TEST.ts` beside it, and a folder that holds the two stands for them. Shorter
    series are filled up at their end; what fills up, and missing values, are 0 after each channel is standardised.

    Args:
        path: the file or folder.
        split: how they are split; the published test split stays it.
    """

    path: Path | str
    split: Split = Split()

    def open(self) -> Found:
        files = find_files(self.place())
        if not files:
            return Arrays(self.path, input="series", split=self.split).open()
        return read_series(files, self.split)


def find_files(path: Path) -> dict[Part | None, Path]:
    """{part: file} of `.ts` files, {None: file} of a single one; empty where it is something else.

    Raises:
        ValueError: a folder holds none, or several data sets.
    """
    if path.is_dir():
        there = sorted(path.glob("*.ts"))
        train = [one for one in there if one.stem.upper().endswith("_TRAIN")]
        if not there and any(path.glob("*.np[yz]")):
            return {}
        if len(train) != 1 and len(there) != 1:
            names = ", ".join(one.name for one in there[:5]) or "none"
            raise ValueError(f"data: {path}: expected NAME_TRAIN.ts and NAME_TEST.ts of one data set, got {names}")
        return find_files(train[0] if train else there[0])
    if path.suffix.lower() != ".ts":
        return {}
    for word, other in (("_TRAIN", "_TEST"), ("_train", "_test")):
        test = path.with_name(path.stem.removesuffix(word) + other + path.suffix)
        if path.stem.endswith(word) and test.is_file():
            return {Part.TRAIN: path, Part.TEST: test}
    return {None: path}


def read_series(files: dict[Part | None, Path], split: Split) -> Found:
    """What `.ts` files hold.

    Raises:
        ValueError: they do not go together, or hold what cannot be learnt.
    """
    read = {part: read_ts(path) for part, path in files.items()}
    where = " and ".join(str(path) for path in files.values())
    if split.column is not None:
        raise ValueError(f"data: split.column: {where} has no columns, got {split.column}")
    every = [series for one in read.values() for series in one.series]
    channels = {len(series) for series in every}
    if len(channels) > 1 or len({one.classes for one in read.values()}) > 1:
        raise ValueError(f"data: expected the same channels and classes in {where}")
    inputs = padded(every)
    _refuse(inputs, where)
    written = np.array([target for one in read.values() for target in one.targets])
    classes = next(iter(read.values())).classes
    targets = read_targets(written, "values" if classes is None else "classes", where)
    values, names = targets.values, targets.class_names
    if classes is not None:  # in the order of the head, and as it has them: 1 and 1.0 are two names
        names = tuple(name for name in dict.fromkeys(classes) if name in set(written.tolist()))
        values = np.array([names.index(target) for target in written.tolist()], np.int64)
    parts = None
    if None not in read:
        parts = parts_of([part for part, one in read.items() for _ in one.series if part is not None])
    task = Task(SeriesInput(*inputs.shape[1:]), targets.output)
    lengths = sorted({series.shape[1] for series in every})
    steps = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    kind = "values" if classes is None else f"{len(names)} classes"
    lines = [f"{where}: {len(inputs):,} series of {steps} steps and {inputs.shape[2]} channels, and {kind}"]
    missing = _missing(read)
    lines += [f"{missing:,} values are missing, and are 0 after standardising"] if missing else []
    return Found(Examples(inputs, values, parts), task, names, tuple(lines))


def padded(series: list[np.ndarray]) -> np.ndarray:
    """Series (channels, steps) of any lengths as (N, steps, channels) float32, filled up with NaN at the end."""
    inputs = np.full((len(series), max(one.shape[1] for one in series), len(series[0])), np.nan, np.float32)
    for row, one in zip(inputs, series, strict=True):
        row[: one.shape[1]] = one.T
    return inputs


def _missing(read: dict[Part | None, SeriesFile]) -> int:
    return sum(int(np.isnan(series).sum()) for one in read.values() for series in one.series)


def _refuse(inputs: np.ndarray, where: str) -> None:
    infinite = np.isinf(inputs)
    if infinite.any():
        rows = np.flatnonzero(infinite.any((1, 2)))
        raise ValueError(
            f"data: {where}: {infinite.sum():,} values of {len(rows):,} series are infinite, the first of them series"
            f" {rows[0] + 1}"
        )
    empty = np.flatnonzero(np.isnan(inputs).all((0, 1)))
    if len(empty):
        raise ValueError(f"data: {where}: channel {empty[0] + 1} has no value in any series")
