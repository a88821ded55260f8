"""What takes long to unpack or to decode is kept, once for each content, in a folder that may be deleted."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .packages import data_folder


def kept(name: str, key: Any, write: Callable[[Path], None]) -> Path:
    """The folder for a key, made once: a process that is killed on the way leaves none.

    Args:
        name: of the kind of content.
        key: plain data from which the content follows, such as files with their sizes and times.
        write: puts the content into a folder.

    Raises:
        ValueError: there is no room or no permission; says how another place is named.
    """
    parent = data_folder(name)
    target = parent / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    if target.is_dir():
        return target
    try:
        parent.mkdir(parents=True, exist_ok=True)
        # beside the target, so that the last step is a rename within one file system
        work = Path(tempfile.mkdtemp(prefix=".", dir=parent))
        try:
            write(work)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        if not target.is_dir():  # else another process was faster
            raise ValueError(
                f"data: {parent} cannot be written to ({error}), and what is unpacked is kept there; make room, or name"
                " another place by XDG_CACHE_HOME"
            ) from error
    return target


def state(path: Path, files: Iterable[Path] | None = None) -> list[tuple[str, int, int]]:
    """(path, bytes, nanoseconds of the last change) of a file, or of files below a folder: a key for `kept`."""
    found = ((one, one.stat()) for one in (files if files is not None else [path.resolve()]))
    return [(str(one), stat.st_size, stat.st_mtime_ns) for one, stat in found]
