"""qd export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .output import note


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to make.", show_default=False)],
    best: Annotated[bool, typer.Option("--best", help="The elite with the best objective.")] = False,
    id: Annotated[int | None, typer.Option(metavar="N", help="The candidate with this id.")] = None,
) -> None:
    """Take a network home: its architecture, its trained weights, and how to load them.

    Example: `qd export results/first --best --to best_network`
    """
    if best == (id is not None):
        raise UsageError("say which network: --best or --id N (qd elites lists the ids)")
    from ..export import export_elite
    from ..store.run import open_run

    run = open_run(folder)
    if id is None:
        if run.archive.best is None:
            raise UsageError(f"{folder}: no elite yet, nothing to export")
        id = run.archive.best.candidate
    export_elite(run, id, to)
    note(f"exported {id} to {to}; how to load it: {to / 'README.md'}")
