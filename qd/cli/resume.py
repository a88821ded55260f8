"""qd resume."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from .workers import Workers, with_workers


def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Keys to change, budget and executor alone: budget.evaluations=1000", metavar="KEY=VALUE"),
    ] = None,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins; default: where they were when the run began.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Go on with a search that was interrupted, killed, or whose budget is raised.

    No completed evaluation is lost; what was under way is evaluated again.

    Example: `qd resume results/first budget.evaluations=200`
    """
    from ..analysis.run import open_run
    from ..runs import launch
    from .ending import finish
    from .progress import Progress

    changes = with_workers(overrides, workers)
    with contextlib.closing(open_run(folder)) as before:
        budget = launch.resumed_config(before, changes, {}, plugins).budget
    with Progress(budget) as progress:
        found = launch.resume(folder, plugins=plugins, progress=progress, overrides=changes)
    sys.exit(finish(found))
