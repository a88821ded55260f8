"""qd report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .counter import Counter
from .output import note


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .html file; default: report.html in the run's folder.")
    ] = None,
) -> None:
    """Write a run on one page: map, elites, networks, curves, failures. It opens from disk, without any network.

    Example: `qd report results/first`
    """
    from ..report import write_report
    from ..store.run import open_run

    if out is not None and out.suffix != ".html":
        raise UsageError(f"--out {out}: expected a file that ends in .html")
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    run = open_run(folder)
    with Counter("sections") as progress:
        path = write_report(run, out, progress)
    note(f"report: {path}")
