"""A plug-in's folder travels to the workers, whose machines may not have it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UsageError

MOST_BYTES = 100 * 2**20
MOST_FILES = 10_000
LOG = "log.sqlite"
"""A folder that holds one is a run, and no plug-in needs it."""


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return {relative path: contents} of a plug-in's folder, without hidden files, caches and runs.

    Raises:
        UsageError: it is too large to be sent to every worker.
    """
    files: dict[str, bytes] = {}
    size = 0
    for path in _files_below(folder):
        size += path.stat().st_size
        if size > MOST_BYTES or len(files) == MOST_FILES:
            raise UsageError(
                f"{folder}: the folder of the plug-ins is sent to every worker, and it holds more than"
                f" {MOST_BYTES // 2**20} MB or {MOST_FILES:,} files; give the plug-ins a folder of their own:"
                " --plugins FOLDER"
            )
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files


def install(files: Mapping[str, bytes], room: Path) -> Path:
    """Write the files to a folder below `room` that is named after their contents; workers of a machine share it."""
    digest = hashlib.sha256()
    for name, contents in sorted(files.items()):
        digest.update(f"{name}\0{len(contents)}\0".encode() + contents)
    folder = room / digest.hexdigest()[:16]
    if folder.is_dir():
        return folder
    room.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=room))
    for name, contents in files.items():
        path = unfinished / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    try:
        unfinished.rename(folder)
    except OSError:  # another worker was first
        shutil.rmtree(unfinished)
    return folder


def _files_below(folder: Path) -> Iterator[Path]:
    for name, folders, files in os.walk(folder):
        if LOG in files:
            folders.clear()
            continue
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one != "__pycache__")
        yield from (Path(name) / file for file in sorted(files) if not file.startswith("."))
