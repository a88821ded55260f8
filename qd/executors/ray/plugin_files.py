"""A plug-in's folder travels to the workers, whose machines may not have it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError

MOST_BYTES = 100 * 2**20
MOST_FILES = 10_000
LOG = "log.sqlite"
"""A folder that holds one is a run, and no plug-in needs it."""


@dataclass(frozen=True)
class PluginFiles:
    """What a folder of plug-ins holds.

    Args:
        folder: where it lies on the driver's machine.
        files: {relative path: contents}.
    """

    folder: Path
    files: Mapping[str, bytes]

    @classmethod
    def read(cls, folder: Path) -> PluginFiles:
        """Read a folder, without hidden files, caches and runs.

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
                    " `plugins`"
                )
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
        return cls(folder.resolve(), files)

    @property
    def digest(self) -> str:
        """Of names and contents."""
        digest = hashlib.sha256()
        for name, contents in sorted(self.files.items()):
            digest.update(f"{name}\0{len(contents)}\0".encode() + contents)
        return digest.hexdigest()

    def install(self, room: Path) -> Path:
        """Return a folder of this machine that holds the files: the same one where it is there, else a copy.

        Args:
            room: where copies lie, named after their contents; the workers of a machine share them.
        """
        if self._is_here():
            return self.folder  # errors then name the lines that a person can edit
        copy = room / self.digest[:16]
        if copy.is_dir():
            return copy
        room.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=room))
        for name, contents in self.files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        try:
            unfinished.rename(copy)
        except OSError:  # another worker was first
            shutil.rmtree(unfinished)
        return copy

    def _is_here(self) -> bool:
        try:
            return all((self.folder / name).read_bytes() == contents for name, contents in self.files.items())
        except OSError:
            return False


def _files_below(folder: Path) -> Iterator[Path]:
    for name, folders, files in os.walk(folder):
        if LOG in files:
            folders.clear()
            continue
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one != "__pycache__")
        yield from (Path(name) / file for file in sorted(files) if not file.startswith("."))
