"""qd report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .counter import Counter
from .looking import PluginsToLook
from .output import note


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .html file; default: report.html in the run's folder.")
    ] = None,
    plugins: PluginsToLook = None,
) -> None:
    """Write a run on one page: map, elites, networks, curves, failures. It opens from disk, without any network.

    Example: `qd report results/first`
    """
    from ..reporting import report as write

    with Counter("sections") as progress:
        path = write(folder, out, progress, plugins)
    note(f"report: {path}")
