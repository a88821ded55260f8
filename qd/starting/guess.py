"""Which kind of data a path is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError, suggest
from ..registry import is_own, is_plugin, names

KINDS = {
    ".csv": "table",
    ".tsv": "table",
    ".parquet": "table",
    ".npz": "arrays",
    ".npy": "arrays",
    ".safetensors": "arrays",
    ".ts": "series",
    ".txt": "text",
}
"""{ending of a file: kind of data}."""
IN_FOLDERS = {".ts": "series", ".txt": "text", ".npy": "arrays", ".parquet": "huggingface", ".arrow": "huggingface"}
"""{ending of files in a folder: kind of data}; anything else there is taken for images."""
LOOKED_AT = 1000
"""Files of a folder that are looked at."""


def guess(data: str, kind: str | None = None) -> dict[str, Any]:
    """What `data` of a run file holds: `kind`, and `path` as it was given.

    Args:
        data: a file or folder, the name of a data set, or `my_file:MyData`.
        kind: of the file or folder; None: its ending says it.

    Raises:
        UsageError: there is nothing of that name, or what is there is of no known kind.
    """
    path = Path(data).expanduser()
    if kind is None and not path.exists() and (is_plugin(data) or data in names("data")):
        return {"kind": data}
    if not path.exists():
        near = suggest(data, names("data"))
        raise UsageError(f"`data` {data}: there is no such file or folder, and no data set of that name{near}")
    return {"kind": kind or (_of_folder(path) if path.is_dir() else _of_file(path)), "path": data}


def _of_file(path: Path) -> str:
    found = KINDS.get(path.suffix.lower())
    if found is None:
        endings = ", ".join(KINDS)
        raise UsageError(
            f"`data` {path}: expected a file that ends in {endings}, or a folder; say what it is with `kind`, one of"
            f" {', '.join(names('data'))}"
        )
    return _there(found, path)


def _of_folder(path: Path) -> str:
    endings: dict[str, int] = {}
    for index, file in enumerate(path.rglob("*")):
        if index == LOOKED_AT:
            break
        if file.is_file() and not file.name.startswith("."):
            endings[file.suffix.lower()] = endings.get(file.suffix.lower(), 0) + 1
    if not endings:
        raise UsageError(f"`data` {path}: expected a folder with files, and there are none in it")
    commonest = max(endings, key=lambda ending: endings[ending])
    return _there(IN_FOLDERS.get(commonest, "image_folder"), path)


def _there(kind: str, path: Path) -> str:
    if not is_own("data", kind):
        raise UsageError(f"`data` {path}: looks like {kind}, which this version does not read")
    return kind
