"""qd show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .looking import PluginsToLook
from .output import print_json, stdout


def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    plugins: PluginsToLook = None,
) -> None:
    """Summarise a run, also while it goes on.

    Example: `qd show results/first --json`
    """
    from ..analysis.run import open_run
    from .summary import print_summary

    run = open_run(folder, plugins=plugins)
    if json:
        print_json(run.summary())
    else:
        print_summary(run, stdout())
