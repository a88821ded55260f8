"""qd run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .output import note


def run(
    run_file: Annotated[Path, typer.Argument(metavar="RUNFILE", help="The run file (YAML).", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Keys to change: budget.evaluations=50", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; default: the first free results/RUNFILE-NNN.")
    ] = None,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins named my_file:MyClass; default: the run file's.")
    ] = None,
) -> None:
    """Launch a search.

    Ctrl-C ends it after what is under way; `qd resume` goes on from there.

    Example: `qd run scripts/runs/fashion_moe.yaml budget.evaluations=50 --out results/first`
    """
    from .. import launch  # loads pyribs, which takes seconds: `qd --help` should not
    from ..config import load
    from .progress import Progress
    from .summary import finish

    changes = overrides or []
    with Progress(load(run_file, changes).budget) as progress:
        found = launch.run(run_file, out=out, plugins=plugins, progress=progress, say=note, overrides=changes)
    sys.exit(finish(found))
