"""numba's `njit`, also where neither the home nor the installation can be written to.

numba keeps what it compiled beside the source or in the person's cache folder, and raises where it can write to
neither. Then a folder that goes with the process takes it; processes that this one starts share it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import numba
from numba import config, njit
from numba.misc.appdirs import AppDirs

__all__ = ["give_the_cache_a_place", "njit"]


def give_the_cache_a_place() -> None:
    """Let numba write to a folder of this process where it may write to no other; before it compiles anything."""
    beside = [Path(module).parent / "__pycache__" for module in (__file__, numba.__file__)]  # ours, and pyribs' kernels
    of_the_person = Path(AppDirs("numba", appauthor=False).user_cache_dir)
    if os.environ.get("NUMBA_CACHE_DIR") or _is_writable(of_the_person) or all(map(_is_writable, beside)):
        return
    place = tempfile.mkdtemp(prefix="qd-numba-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = place
    config.reload_config()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


give_the_cache_a_place()
