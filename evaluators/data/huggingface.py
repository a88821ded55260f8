"""Data sets in the forms of the Hugging Face Hub, on this machine: Parquet shards, and what `save_to_disk` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from qd.errors import suggest
from search_spaces import Task
from search_spaces.task import Image, Vector

from .base import Examples
from .cache import state
from .layout import find_layout, refuse_not_finite
from .own import Found, OwnData, parts_of, read_parts
from .pictures import Wanted, read_pictures
from .rows import Inputs
from .shards import Cells, Shards, open_shards
from .split import Split
from .targets import TargetKind, Targets, read_targets

if TYPE_CHECKING:
    import pyarrow

TARGETS = ("label", "labels", "target", "y", "class", "fine_label")
"""Columns that are looked for where none is given."""


@dataclass(frozen=True)
class HuggingFace(OwnData):
    """A folder of Parquet shards, or the folder that `datasets.Dataset.save_to_disk` wrote; nothing is downloaded.

    Inputs are a column of pictures, or columns of numbers. Parts are told by names of files and folders, such as
    train-00000-of-00002.parquet, or by the saved splits.

    Args:
        path: of the folder, or of one Parquet or Arrow file.
        inputs: one column, or several of numbers; empty: the one of pictures, or else all of numbers.
        target: the column that is told; None: label and the like.
        target_kind: what the targets are; None: text and whole numbers are classes, others are values.
        size: of images: one number, or [height, width]; None: the commonest size of the pictures.
        channels: of images, 1 or 3; None: 1 where all pictures are greyscale.
        skip_damaged: whether pictures that cannot be read are left out, where they are at most a hundredth.
        split: how they are split; a `column` is of the table.
    """

    path: Path | str
    inputs: str | tuple[str, ...] = ()
    target: str | None = None
    target_kind: TargetKind | None = None
    size: int | tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    skip_damaged: bool = False
    split: Split = Split()

    def open(self) -> Found:
        shards = open_shards(self.place())
        names = list(shards.schema.names)
        target = _target(self.target, shards)
        wanted = (self.inputs,) if isinstance(self.inputs, str) else self.inputs
        for key, asked in (("inputs", wanted), ("target", (target,)), ("split.column", (self.split.column,))):
            for name in asked:
                if name is not None and name not in names:
                    raise ValueError(f"{key}: {shards.path} has no column {name!r}{suggest(name, names)}")
        columns = wanted or _usual(shards, (target, self.split.column))
        if target in columns or self.split.column in columns:
            raise ValueError(f"inputs: {', '.join(columns)} hold the target, or the column of the split; name others")
        targets = _targets(shards, target, self.target_kind)
        inputs, rows, lines = self._inputs(shards, columns, len(targets.values))
        parts = [
            shard.part for shard, batch in shards.batches([target]) for _ in range(len(batch)) if shard.part is not None
        ]
        given: dict[str, Any] = {"parts": parts_of(parts)[rows]} if parts else {}
        if self.split.column is not None:
            if self.split.by == "column" and given:
                raise ValueError(f"split.by: column, and the names of files in {shards.path} say the parts already")
            values, where = shards.column(self.split.column), f"{shards.path}: {self.split.column}"
            key = {"column": "parts", "group": "groups", "time": "times"}[self.split.by or "group"]
            given[key] = (read_parts(values, where) if key == "parts" else values)[rows]
        examples = Examples(inputs, targets.values[rows], **given)
        sizes = inputs.shape[1:]
        task = Task(Image(*sizes) if len(sizes) == 3 else Vector(*sizes), targets.output)
        return Found(examples, task, targets.class_names, tuple(line for line in (*lines, targets.said) if line))

    def _inputs(
        self, shards: Shards, columns: tuple[str, ...], count: int
    ) -> tuple[Inputs, np.ndarray, tuple[str, ...]]:
        """Inputs, which of the rows they are, and what there is to say."""
        fields = [shards.schema.field(name) for name in columns]
        if len(fields) == 1 and _holds_pictures(fields[0].type):
            size = (self.size, self.size) if isinstance(self.size, int) else self.size
            wanted = Wanted(size, self.channels, self.skip_damaged)
            key = [state(shards.path, [shard.path for shard in shards.files]), columns]
            return read_pictures(Cells(shards, columns[0], count), wanted, key, f"{shards.path}: {columns[0]}")
        for key in ("size", "channels"):
            if getattr(self, key) is not None:
                raise ValueError(f"{key}: goes with pictures, and {', '.join(columns)} hold none")
        odd = [f"{field.name}: {field.type}" for field in fields if not _holds_numbers(field.type)]
        if odd:
            raise ValueError(
                f"{shards.path}: expected a column of pictures ({{bytes, path}}), or columns of numbers or of lists of"
                f" numbers, and {len(odd)} hold something else ({'; '.join(odd[:5])}); name others by inputs"
            )
        where = f"{shards.path}: {', '.join(columns[:5])}"
        inputs = np.concatenate([_numbers(shards, field) for field in fields], 1)
        refuse_not_finite(inputs, find_layout(inputs.shape, inputs.dtype, "vector", None, where), where)
        said = f"{where}: {len(inputs):,} vectors of {inputs.shape[1]} numbers"
        return inputs, np.arange(len(inputs)), (said,)


def _target(wanted: str | None, shards: Shards) -> str:
    found = wanted or next((name for name in TARGETS if name in shards.schema.names), None)
    if found is None:
        raise ValueError(f"target: say which column of {shards.path} it is: {', '.join(shards.schema.names)}")
    return found


def _usual(shards: Shards, others: tuple[str | None, ...]) -> tuple[str, ...]:
    fields = [field for field in shards.schema if field.name not in others]
    pictures = tuple(field.name for field in fields if _holds_pictures(field.type))
    found = pictures or tuple(field.name for field in fields if _holds_numbers(field.type))
    if len(pictures) > 1 or not found:
        listed = "; ".join(f"{field.name}: {field.type}" for field in fields) or "there are no others"
        raise ValueError(f"inputs: say which columns of {shards.path} they are, pictures or numbers ({listed})")
    return found


def _targets(shards: Shards, name: str, kind: TargetKind | None) -> Targets:
    values, feature = shards.column(name), shards.features.get(name)
    names = feature.get("names") if isinstance(feature, dict) else None
    where = f"{shards.path}: {name}"
    if not isinstance(names, list) or kind == "values" or values.dtype.kind not in "iu":
        return read_targets(values, kind, where)
    beyond = (values < 0) | (values >= len(names))
    if beyond.any():
        raise ValueError(
            f"{where}: expected one of {len(names)} classes in each row, and {int(beyond.sum()):,} of {len(values):,}"
            f" have none (such as {values[beyond][0]}: labels that are kept secret); leave their files out"
        )
    return read_targets(values, "classes", where, tuple(str(names[number]) for number in np.unique(values)))


def _holds_pictures(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    inside = kind.field("bytes").type if types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
    return types.is_binary(inside) or types.is_large_binary(inside)


def _holds_numbers(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _numbers(shards: Shards, field: pyarrow.Field) -> np.ndarray:
    """A column of numbers, or of lists of one length: (N, features) floats; what is missing is NaN."""
    from pyarrow import types

    nested = types.is_nested(field.type)
    blocks = []
    for _, batch in shards.batches([field.name]):
        column = batch.column(0)
        values = column.flatten() if nested else column
        lengths = (
            set(column.value_lengths().to_pylist()) if nested and not types.is_fixed_size_list(field.type) else set()
        )
        if len(lengths) > 1 or (nested and column.null_count):
            raise ValueError(f"{shards.path}: {field.name}: expected lists of one length in all rows, got {lengths}")
        floats = values.cast("float64", safe=False).to_numpy(zero_copy_only=False)
        blocks.append(floats.reshape(len(column), -1))
    widths = {block.shape[1] for block in blocks}
    if len(widths) != 1 or 0 in widths:
        raise ValueError(f"{shards.path}: {field.name}: expected lists of one length in all rows, got {sorted(widths)}")
    return np.concatenate(blocks)
