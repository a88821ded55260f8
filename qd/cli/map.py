"""qd map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .looking import PluginsToLook
from .output import note


def map(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FILE", help="A .png, .svg or .pdf file.", show_default=False)],
    measures: Annotated[
        str | None, typer.Option(metavar="A,B", help="One or two logged metrics as axes; default: the run's own.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(metavar="M", help="A logged metric as colour; default: the run's own.")
    ] = None,
    accepted_only: Annotated[
        bool, typer.Option("--accepted-only", help="Of a `log: accepted`, draw other measures from what it has kept.")
    ] = False,
    plugins: PluginsToLook = None,
) -> None:
    """Draw the archive, over any logged metrics: from the log alone, nothing is evaluated again.

    Example: `qd map results/first --out map.svg --measures macs,expert_entropy --objective val_loss`
    """
    from ..analysis.run import open_run
    from ..plots.base import FORMATS
    from ..plots.drawing import check_out
    from ..plots.heatmap import chosen_archive, map_of
    from ..plots.style import save

    check_out(out, FORMATS)
    run = open_run(folder, accepted_only, plugins)
    names = [name.strip() for name in measures.split(",")] if measures else []
    archive = chosen_archive(run, names, objective)
    save(map_of(run, archive), out)
    note(f"{len(archive)} elites drawn: {out}")
