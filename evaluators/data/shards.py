"""Shards of a table: Parquet files, or Arrow files as the package `datasets` saves them, which is not needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from qd.errors import clipped
from qd.plain_data import parse_json, read_json

from .split import PART_WORDS, Part

if TYPE_CHECKING:
    import pyarrow

AT_ONCE = 256
"""Rows of a Parquet file, which may hold pictures."""


@dataclass(frozen=True)
class Shard:
    """A file, and the part whose examples it holds; None: nobody says."""

    path: Path
    part: Part | None


@dataclass(frozen=True)
class Shards:
    """Files of one table.

    Args:
        path: as it was given, for messages.
        files: in the order of their rows.
        schema: of all.
    """

    path: Path
    files: tuple[Shard, ...]
    schema: pyarrow.Schema

    @property
    def features(self) -> dict[str, Any]:
        """What the Hugging Face Hub says of columns: {column: {"_type": "ClassLabel", "names": [...]}}."""
        content = (self.schema.metadata or {}).get(b"huggingface")
        try:
            found = parse_json(content.decode())["info"]["features"] if content else {}
        except (ValueError, KeyError, TypeError):
            return {}
        return found if isinstance(found, dict) else {}

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[Shard, pyarrow.RecordBatch]]:
        """Some columns of all rows.

        Raises:
            ValueError: a file is damaged.
        """
        import pyarrow

        for shard in self.files:
            try:
                for batch in _batches(shard.path, columns):
                    batch.validate(full=True)
                    yield shard, batch
            except (pyarrow.ArrowException, OSError) as error:
                raise ValueError(f"{shard.path}: the file is damaged: {clipped(error)}") from error

    def column(self, name: str) -> np.ndarray:
        """A column without missing values: (N,) numbers or text.

        Raises:
            ValueError: some are missing.
        """
        found = [batch.column(0) for _, batch in self.batches([name])]
        missing, rows = sum(one.null_count for one in found), sum(map(len, found))
        if missing:
            raise ValueError(f"{self.path}: {name} is missing in {missing:,} of {rows:,} rows; take these rows out")
        arrays = [one.to_numpy(zero_copy_only=False) for one in found]
        return np.concatenate([one.astype(str) if one.dtype.kind == "O" else one for one in arrays])


class Cells:
    """Pictures in a column of shards, of bytes or as Hugging Face has them: {bytes, path}."""

    def __init__(self, shards: Shards, column: str, rows: int) -> None:
        self._shards, self._column, self._rows = shards, column, rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[tuple[str, IO[bytes]]]:
        row = 0
        for shard, batch in self._shards.batches([self._column]):
            for cell in batch.column(0).to_pylist():
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                yield f"row {row} ({shard.path.name})", BytesIO(content or b"")
                row += 1


def open_shards(path: Path) -> Shards:
    """The shards of a file or folder.

    Raises:
        ValueError: there are none, they are damaged, or they have different columns.
    """
    import pyarrow

    files = _find(path)
    if not files:
        raise ValueError(
            f"{path}: expected Parquet files, or a folder that `save_to_disk` of datasets wrote; found none"
        )
    told = [shard for shard in files if shard.part is not None]
    if told and len(told) < len(files):
        odd = ", ".join(shard.path.name for shard in files if shard.part is None)
        raise ValueError(f"{path}: expected train, validation or test in the name of each file, or of none, got {odd}")
    schemas = []
    for shard in files:
        try:
            schemas.append(_schema(shard.path))
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{shard.path}: the file is damaged: {clipped(error)}") from error
        if not schemas[-1].equals(schemas[0]):
            raise ValueError(
                f"{path}: expected the same columns in all files, and {shard.path.name} has others than"
                f" {files[0].path.name}; name the folder of one data set"
            )
    return Shards(path, tuple(files), schemas[0])


def _find(path: Path) -> list[Shard]:
    if path.is_file():
        return [Shard(path, None)] if path.suffix.lower() in (".parquet", ".arrow") else []
    if (path / "dataset_dict.json").is_file():
        names = read_json(path / "dataset_dict.json")
        splits = names.get("splits") if isinstance(names, dict) else None
        if not isinstance(splits, list) or not all(isinstance(name, str) for name in splits):
            raise ValueError(f"{path}/dataset_dict.json: expected splits, a list of names")
        return [
            Shard(one.path, PART_WORDS.get(name.lower())) for name in splits for one in _find(path / Path(name).name)
        ]
    for ending in ("parquet", "arrow"):
        if found := sorted(path.rglob(f"*.{ending}")):
            return [Shard(one, _part(one.relative_to(path))) for one in found]
    return []


def _part(path: Path) -> Part | None:
    """Told by words such as train-00000-of-00002.parquet, or train/0000.parquet."""
    words = [*path.parts[:-1], path.stem.split("-")[0].split(".")[0]]
    return next((PART_WORDS[word.lower()] for word in reversed(words) if word.lower() in PART_WORDS), None)


def _schema(path: Path) -> pyarrow.Schema:
    from pyarrow import parquet

    return parquet.read_schema(path) if path.suffix.lower() == ".parquet" else _arrow(path).schema


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
    from pyarrow import parquet

    if path.suffix.lower() == ".parquet":
        yield from parquet.ParquetFile(path).iter_batches(AT_ONCE, columns=list(columns))
        return
    reader = _arrow(path)
    batches = iter(reader) if hasattr(reader, "__iter__") else map(reader.get_batch, range(reader.num_record_batches))
    yield from (batch.select(list(columns)) for batch in batches)


def _arrow(path: Path) -> Any:
    """A reader of an Arrow file in either of its two forms."""
    import pyarrow
    from pyarrow import ipc

    source = pyarrow.memory_map(str(path))
    try:
        return ipc.open_stream(source)
    except pyarrow.ArrowInvalid:
        source.seek(0)
        return ipc.open_file(source)
