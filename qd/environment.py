"""Where a run was made: versions, machine, state of the sources."""

from __future__ import annotations

import datetime
import functools
import os
import platform
import socket
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

__version__ = "0.1.0"
"""Of this package; pyproject.toml says the same."""
PACKAGES = (
    "qdnas",
    "ribs",
    "torch",
    "ray",
    "numpy",
    "scipy",
    "pandas",
    "networkx",
    "scikit-learn",
    "matplotlib",
    "safetensors",
    "onnx",
    "onnxruntime",
)


def describe(folder: Path) -> dict[str, Any]:
    """Plain data for environment.json.

    Args:
        folder: whose git state to note; that of the run file.
    """
    return {
        "time": now(),
        "machine": machine(),
        "versions": versions(),
        "git": git_state(folder),
        "host": socket.gethostname(),
    }


def now() -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@functools.cache
def versions() -> dict[str, str]:
    """{package: version} of Python and of the packages that can change a result; those not installed are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processor, cores and memory."""
    return {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count(), "memory_gib": _memory()}


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether there are uncommitted changes; None outside a checkout or without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None
