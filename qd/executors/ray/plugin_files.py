"""A plug-in's folder travels to the workers, whose machines may not have it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError

MOST_BYTES = 100 * 2**20
MOST_FILES = 10_000
LOG = "log.sqlite"
"""A folder that holds one is a run, and no plug-in needs it."""
ENVIRONMENT = "pyvenv.cfg"
"""A folder that holds one is a virtual environment; workers have their own."""


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
        """Read a folder, without hidden files, caches, environments and runs, and what is no file that can be read.

        Raises:
            UsageError: it is too large to be sent to every worker.
        """
        paths = list(_files_below(folder))
        sizes = {path.relative_to(folder): path.stat().st_size for path in paths}
        if sum(sizes.values()) > MOST_BYTES or len(paths) > MOST_FILES:
            entries: Counter[str] = Counter()
            for path, size in sizes.items():
                entries[path.parts[0]] += size
            largest = ", ".join(f"{name} ({size / 2**20:,.1f} MB)" for name, size in entries.most_common(5))
            raise UsageError(
                f"{folder}: the folder of the plug-ins is sent to every worker of the cluster, and it holds more than"
                f" {MOST_BYTES // 2**20} MB or {MOST_FILES:,} files: {largest}; give the plug-ins a folder of their"
                " own: `plugins`"
            )
        return cls(folder.resolve(), {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})

    @classmethod
    def in_place(cls, folder: Path) -> PluginFiles:
        """For workers of the same machine, which read the folder itself."""
        return cls(folder.resolve(), {})

    @property
    def digest(self) -> str:
        """Of names and contents."""
        digest = hashlib.sha256()
        for name, contents in sorted(self.files.items()):
            digest.update(os.fsencode(name) + f"\0{len(contents)}\0".encode() + contents)
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
        if LOG in files or ENVIRONMENT in files:
            folders.clear()
            continue
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one != "__pycache__")
        paths = (Path(name) / file for file in sorted(files) if not file.startswith("."))
        yield from (path for path in paths if path.is_file() and os.access(path, os.R_OK))
