"""qd map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
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
) -> None:
    """Draw the archive, over any logged metrics: from the log alone, nothing is evaluated again.

    Example: `qd map results/first --out map.svg --measures macs,expert_entropy --objective val_loss`
    """
    from ..plots.heatmap import FORMATS, save_heatmap
    from ..store.run import open_run

    if out.suffix not in FORMATS:
        raise UsageError(f"--out {out}: expected a file that ends in {', '.join(FORMATS)}")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    run = open_run(folder)
    names = [name.strip() for name in measures.split(",")] if measures else []
    archive = run.project(names, objective) if names or objective else run.archive
    if len(archive.axes) > 2:
        axes = ", ".join(axis.metric for axis in archive.axes)
        raise UsageError(f"--measures: a map has one or two axes, got {len(archive.axes)} ({axes}); name two of them")
    save_heatmap(archive, out, title=run.folder.name)
    note(f"{len(archive)} elites drawn: {out}")
