"""Puts the sections of a report together."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from html import escape
from importlib import resources
from pathlib import Path

from .. import environment
from ..analysis.looking import opened
from ..analysis.run import Run
from ..errors import UsageError
from ..store.folder import write_atomically
from .sections import SECTIONS

Progress = Callable[[int, int], None]
"""Called with how many sections are done, and of how many."""


def report(
    run: Run | Path | str,
    out: Path | str | None = None,
    progress: Progress = lambda done, of: None,
    plugins: Path | str | None = None,
) -> Path:
    """Write a run's report; the file appears whole or not at all.

    Args:
        run: any run, also one that goes on, or its folder.
        out: where to; default: report.html in the run's folder.
        progress: called after every section.
        plugins: of a folder, where the archive's kind is looked up if it is a plug-in.

    Returns:
        Where it was written.

    Raises:
        UsageError: the folder holds no run, or the file cannot be made there.
    """
    run = opened(run, plugins=plugins)
    path = run.folder.path / "report.html" if out is None else Path(out)
    if path.suffix != ".html":
        raise UsageError(f"--out {path}: expected a file that ends in .html")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.parent}")
    write_atomically(path, report_html(run, progress).encode())
    return path


def report_html(run: Run, progress: Progress = lambda done, of: None) -> str:
    """One HTML page with everything in it; a policy in its head keeps it from loading anything."""
    parts = []
    with run.snapshot():
        for number, section in enumerate(SECTIONS, start=1):
            parts.append(section(run))
            progress(number, len(SECTIONS))
    script, style = asset("page.js"), asset("page.css")
    # The script by its digest: whatever a log may hold, nothing else can run.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    name = escape(run.folder.name)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}: qd report</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n" + "\n".join(parts) + f'\n<p class="quiet">Made by qd on'
        f" {escape(environment.now())} from the run's log alone.</p>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def asset(name: str) -> str:
    """A file that lies beside this one."""
    return resources.files("qd.reporting").joinpath(name).read_text()
