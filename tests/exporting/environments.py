"""Fresh virtual environments that hold a few of the packages of this one, linked instead of downloaded."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def make_environment(folder: Path, *names: str) -> Path:
    """Make an environment with these packages, what they require, and nothing else; returns its Python.

    It has a Python of its own and an empty site-packages. What is linked into it are the very files that an
    installation would put there, so it differs from one made by pip in nothing that an import can see.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    target = Path(found.stdout.strip())
    for distribution in _with_requirements(names):
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            (target / top).symlink_to(Path(str(distribution.locate_file(top))))
    return python


def _with_requirements(names: tuple[str, ...]) -> list[metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        needs = map(Requirement, found[name].requires or [])
        wanted += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return list(found.values())
