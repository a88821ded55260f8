"""A run's folder: every path of it, and nothing else knows one."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from safetensors.numpy import load_file, save

from ..candidates import Weights
from ..errors import QdError, UsageError
from ..plain_data import dump_yaml

LOCK_TRIES = 4


WEIGHTS = re.compile(r"\d+\.safetensors|\.\d+\.safetensors\.tmp")
"""Names that this module gives; what else lies among weights is somebody's own."""


class RunFolder:
    """Paths and files of one run. Files appear by write-then-rename.

    `path` is as it was given, for people. All else is absolute: a plug-in may change the working directory.

    Args:
        path: of the folder.
        home: what it is relative to; default: the working directory.
    """

    def __init__(self, path: Path | str, home: Path | None = None) -> None:
        self.path = Path(path)
        self.place = home / path if home else self.path.absolute()
        self.log = self.place / "log.sqlite"
        self.run_file = self.place / "run.yaml"
        self.environment = self.place / "environment.json"
        self.weights = self.place / "weights"
        self.pictures = self.place / "pictures"
        self._lock = self.place / ".lock"

    @contextlib.contextmanager
    def as_given(self) -> Iterator[None]:
        """Errors of what is done within name the folder as it was given."""
        try:
            yield
        except QdError as error:
            error.args = (str(error).replace(str(self.place), str(self.path)),)
            raise

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.place.resolve().name

    @property
    def is_blank(self) -> bool:
        """Whether it is a folder with nothing in it but what a driver leaves that ends before the log is there."""
        ours = (self._lock.name, f".{self.log.name}.")
        return self.place.is_dir() and all(path.name.startswith(ours) for path in self.place.iterdir())

    @property
    def never_began(self) -> bool:
        """Whether a driver made it and ended before the log was there."""
        return self._lock.exists() and self.is_blank

    def create(self) -> None:
        """Make the folder, its parents too, or take a blank one.

        Raises:
            UsageError: something is there already.
        """
        if self.place.exists() and not self.is_blank:
            remedy = f"go on with: qd resume {self.path}" if self.log.exists() else "choose another `out`"
            raise UsageError(f"{self.path} exists and is never overwritten; {remedy}")
        self.place.mkdir(parents=True, exist_ok=True)
        self._lock.touch()

    def complete(self, run_file: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Make what belongs beside a log and is missing: a driver was killed, or git or an archiver left it out."""
        self.weights.mkdir(exist_ok=True)
        self.pictures.mkdir(exist_ok=True)
        if not self.run_file.exists():
            self.write_run_file(run_file)
        if not self.environment.exists():
            self.write_environment(environment)

    def write_run_file(self, data: Mapping[str, Any]) -> None:
        """Write run.yaml: the run file with defaults and overrides filled in."""
        write_atomically(self.run_file, dump_yaml(data).encode())

    def write_environment(self, data: Mapping[str, Any]) -> None:
        """Write environment.json."""
        write_atomically(self.environment, (json.dumps(data, indent=2) + "\n").encode())

    def weights_path(self, evaluation: int) -> Path:
        """Where the trained weights of an evaluation lie, if they were kept."""
        return self.weights / f"{evaluation}.safetensors"

    def write_weights(self, evaluation: int, weights: Weights) -> None:
        """Write safetensors."""
        arrays = {name: np.asarray(array, order="C") for name, array in weights.items()}
        write_atomically(self.weights_path(evaluation), save(arrays))

    def read_weights(self, evaluation: int) -> Weights:
        """Read safetensors.

        Raises:
            QdError: the file is damaged.
        """
        path = self.weights_path(evaluation)
        try:
            return load_file(path)
        except Exception as error:  # safetensors has its own exception, and raises others for short files
            raise QdError(f"{path}: expected a safetensors file, but it is damaged ({error})") from None

    def with_weights(self) -> set[int]:
        """Evaluations whose weights are there."""
        names = (path.name for path in self.weights.glob("*") if WEIGHTS.fullmatch(path.name))
        return {int(name.partition(".")[0]) for name in names if not name.startswith(".")}

    def has_weights(self, evaluation: int) -> bool:
        """Whether the weights of an evaluation are there."""
        return self.weights_path(evaluation).is_file()

    def delete_weights(self, evaluations: Iterable[int]) -> None:
        """Delete those that are there."""
        for evaluation in evaluations:
            self.weights_path(evaluation).unlink(missing_ok=True)

    def sweep_weights(self, keep: Iterable[int]) -> None:
        """Delete what a killed driver left behind: temporary files, and weights of no elite."""
        wanted = {self.weights_path(evaluation).name for evaluation in keep}
        for path in self.weights.iterdir():
            if WEIGHTS.fullmatch(path.name) and path.name not in wanted and not path.is_dir():
                path.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run: one driver at a time. The lock dies with its process, whatever children that has forked.

        Raises:
            QdError: another process holds it.
        """
        try:
            file = self._lock.open("w")
        except OSError as error:
            raise QdError(
                f"{self.path}: cannot be written to ({error.strerror}); copy it to a place of your own"
            ) from None
        with file:
            if not _locked(file):
                raise QdError(f"{self.path}: another process is running this search; wait for it, or end it")
            _locks.add(file)
            try:
                yield
            finally:
                _locks.discard(file)

    def is_locked(self) -> bool | None:
        """Whether a driver holds the run; None where that cannot be told from here."""
        try:
            with self._lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        except OSError:
            return None
        return False


_locks: set[TextIO] = set()
"""Of the runs that this process holds."""


def _let_go() -> None:
    """In a forked child: a lock belongs to all who have its file open, and must not outlive the driver in a child."""
    for file in _locks:
        file.close()
    _locks.clear()


os.register_at_fork(after_in_child=_let_go)


def _locked(file: TextIO) -> bool:
    """Take the lock; one who only asks whether it is held (`is_locked`) has it for a moment, which is waited for."""
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


def free_folders(results: Path, stem: str) -> Iterator[RunFolder]:
    """Every `results/<stem>-NNN` that is not there yet, or never began, the lowest number first."""
    home = Path.cwd()
    folders = (RunFolder(results / f"{stem}-{number:03d}", home) for number in itertools.count(1))
    return (folder for folder in folders if not folder.place.exists() or folder.never_began)


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name beside the file, then rename: a reader sees all of it or nothing.

    Where the path is a link, the file that it names is written, and the link stays. Of several that write to one path,
    one waits for the other.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with _opened_alone(temporary) as file:
            file.truncate(0)  # what a killed writer left
            file.write(content)
            file.flush()
            temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _opened_alone(path: Path) -> BinaryIO:
    """Open a file to write to, locked, which is still there under its name."""
    while True:
        file = path.open("ab")
        with contextlib.suppress(OSError):  # a filesystem without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # who had it has renamed it meanwhile


def on_network(path: Path) -> str | None:
    """The type of the filesystem where it is shared over a network (SQLite's WAL does not work there), else None."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():  # macOS: network homes are rare there, and SQLite refuses WAL by itself where it can tell
        return None
    target, best, kind = os.path.realpath(path), "", ""
    for line in mounts.read_text(errors="replace").splitlines():
        _, place, system, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        if (target == place or target.startswith(place.rstrip("/") + "/")) and len(place) >= len(best):
            best, kind = place, system
    return kind if kind in NETWORK_FILESYSTEMS else None


NETWORK_FILESYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "9p", "fuse.sshfs",
     "fuse.glusterfs", "fuse.ceph", "fuse.juicefs", "fuse.s3fs", "fuse.gcsfuse")
)  # fmt: skip
