"""Images, series or vectors that lie in files as arrays."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from qd.errors import suggest
from search_spaces import Task
from search_spaces.task import Classes

from .array_files import StoredArray, open_arrays
from .base import Examples
from .cache import kept, state
from .layout import InputName, Layout, find_layout, refuse_not_finite
from .own import Found, OwnData, parts_of, read_parts
from .rows import IN_MEMORY, Inputs, StoredRows
from .split import PART_WORDS, Part, Split
from .targets import TargetKind, read_targets

logger = logging.getLogger(__name__)

INPUTS = ("x", "X", "inputs", "images", "image", "data", "features", "series", "arr_0")
TARGETS = ("y", "Y", "targets", "target", "labels", "label", "arr_1")
"""Names that are looked for where none is given."""


@dataclass(frozen=True)
class Arrays(OwnData):
    """Arrays of a `.npz` or `.safetensors` file, of a `.npy` file and those beside it, or of a folder of these.

    An array holds all examples, or there is one for each part, such as x_train, x_val and x_test, or train_images.
    Large ones stay in their file; compressed ones are unpacked once.

    Args:
        path: of the file or folder.
        inputs: name of the array of inputs, (N, ...) numbers; None: x, images and the like, or the `.npy` file.
        target: name of the array of targets, (N,), text or numbers; None: y, labels and the like.
        input: what the inputs are; None: of 2 axes vectors, of 3 axes images where they are bytes and series otherwise,
            of 4 axes images.
        channels: whether they come before the pixels or steps, or after them; None: of images the axis of at most 4,
            of series last.
        target_kind: what the targets are; None: text and whole numbers are classes, others are values.
        classes: what classes are called, in the order of their numbers or of the alphabet; empty: as they are given.
        split: how they are split; a column is an array.
    """

    path: Path | str
    inputs: str | None = None
    target: str | None = None
    input: InputName | None = None
    channels: Literal["first", "last"] | None = None
    target_kind: TargetKind | None = None
    classes: tuple[str, ...] = ()
    split: Split = Split()

    def open(self) -> Found:
        path = self.place()
        arrays = open_arrays(path)
        alone = path.stem if path.suffix.lower() == ".npy" else None
        x_names = _find(arrays, self.inputs or alone, INPUTS, path, "inputs")
        y_names = _find(arrays, self.target, TARGETS, path, "target")
        _check_lengths(arrays, x_names, y_names, path)
        where = f"{path}: {' and '.join(x_names.values())}"
        stored = [arrays[name] for name in x_names.values()]
        layout = find_layout(_joined_shape(stored, where), stored[0].dtype, self.input, self.channels, where)
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"data: classes: expected names that differ, got {', '.join(self.classes)}")
        targets = read_targets(
            _joined(arrays, y_names), self.target_kind, f"{path}: {' and '.join(y_names.values())}", self.classes
        )
        inputs = _inputs(stored, layout, where, path)
        refuse_not_finite(inputs, layout, where)
        task = Task(layout.input, targets.output)
        said = f"{len(inputs):,} {layout.described}, {stored[0].dtype}, and "
        said += f"{len(targets.class_names)} classes" if isinstance(task.output, Classes) else "values"
        said = f"{path}: {said} ({', '.join([*x_names.values(), *y_names.values()])})"
        lines = tuple(line for line in (said, layout.said, targets.said) if line)
        columns = self._columns(arrays, x_names, path)
        return Found(Examples(inputs, targets.values, **columns), task, targets.class_names, lines)

    def _columns(
        self, arrays: Mapping[str, StoredArray], names: Mapping[Part | None, str], path: Path
    ) -> dict[str, np.ndarray]:
        """Parts, groups and times, as `Examples` has them."""
        by, column = self.split.by, self.split.column
        lengths = {part: arrays[name].shape[0] for part, name in names.items()}
        given = [part for part, length in lengths.items() for _ in range(length) if part is not None]
        found = {"parts": parts_of(given)} if given else {}
        if column is None:
            return found
        if by == "column" and given:
            raise ValueError(f"data: {path}: split.by: column, and {', '.join(names.values())} say the parts already")
        asked = _find(arrays, column, (), path, "split.column")
        _check_lengths(arrays, names, asked, path)
        values = _joined(arrays, asked)
        if by == "column":
            return {"parts": read_parts(values, f"{path}: {column}")}
        return {**found, "groups" if by == "group" else "times": values}


def _find(
    arrays: Mapping[str, StoredArray], wanted: str | None, usual: Sequence[str], path: Path, key: str
) -> dict[Part | None, str]:
    """{None: name} of an array of that name, or {part: name} of those for each part."""
    for stem in [wanted] if wanted else usual:
        if stem in arrays:
            return {None: stem}
        parts = {
            part: name
            for part in Part
            for word, of in PART_WORDS.items()
            for name in (f"{stem}_{word}", f"{word}_{stem}")
            if of is part and name in arrays
        }
        if parts:
            if Part.TRAIN not in parts:
                raise ValueError(f"data: {path}: found {', '.join(parts.values())}, and no {stem}_train")
            return {**parts}
    if wanted:
        raise ValueError(f"data: {path}: {key}: there is no array {wanted!r}{suggest(wanted, list(arrays))}")
    there = ", ".join(list(arrays)[:20]) or "nothing"
    raise ValueError(f"data: {path}: say {key}: NAME, the name of an array; found {there}")


def _check_lengths(
    arrays: Mapping[str, StoredArray], inputs: Mapping[Part | None, str], others: Mapping[Part | None, str], path: Path
) -> None:
    if set(inputs) != set(others):
        raise ValueError(
            f"data: {path}: expected the same parts of {', '.join(inputs.values())} and of {', '.join(others.values())}"
        )
    for part, name in inputs.items():
        first, second = arrays[name].shape[:1], arrays[others[part]].shape[:1]
        if first != second or first in ((), (0,)):
            raise ValueError(
                f"data: {path}: expected as many examples in {name} as in {others[part]}, got {arrays[name].shape} and"
                f" {arrays[others[part]].shape}"
            )


def _joined_shape(stored: Sequence[StoredArray], where: str) -> tuple[int, ...]:
    kinds = {(one.dtype, one.shape[1:]) for one in stored}
    if len(kinds) > 1:
        got = ", ".join(f"{one.dtype} {one.shape}" for one in stored)
        raise ValueError(f"data: {where}: expected arrays of one type and shape for all parts, got {got}")
    return (sum(one.shape[0] for one in stored), *stored[0].shape[1:])


def _joined(arrays: Mapping[str, StoredArray], names: Mapping[Part | None, str]) -> np.ndarray:
    return np.concatenate([arrays[name].read() for name in names.values()])


def _inputs(stored: Sequence[StoredArray], layout: Layout, where: str, path: Path) -> Inputs:
    """In memory, in their file, or unpacked into the cache."""
    if sum(one.nbytes for one in stored) <= IN_MEMORY:
        whole = np.concatenate([one.read() for one in stored]) if len(stored) > 1 else stored[0].read()
        return np.ascontiguousarray(whole.reshape(layout.size).transpose(layout.axes))
    rows = stored[0].rows() if len(stored) == 1 else None
    if rows is None:
        if any(one.fortran for one in stored):
            raise ValueError(
                f"data: {where}: expected a large array in C order; save numpy.ascontiguousarray of it instead"
            )
        rows = _unpacked(stored, where, path)
    axes = None if layout.axes == tuple(range(len(layout.axes))) else layout.axes
    return StoredRows(rows.path, rows.offset, rows.dtype, layout.size, axes=axes)


def _unpacked(stored: Sequence[StoredArray], where: str, path: Path) -> StoredRows:
    size = (sum(one.shape[0] for one in stored), *stored[0].shape[1:])

    def write(folder: Path) -> None:
        logger.info(f"data: {where}: {math.prod(size) * stored[0].dtype.itemsize:,} bytes are unpacked, once")
        with (folder / "rows").open("wb") as file:
            for one in stored:
                for block in one.blocks():
                    file.write(block.data)

    key = [[state(one.path), one.member, one.offset] for one in stored]
    return StoredRows(kept("arrays", key, write) / "rows", 0, stored[0].dtype, size)
