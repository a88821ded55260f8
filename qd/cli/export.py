"""qd export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import note


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to make.", show_default=False)],
    best: Annotated[
        bool, typer.Option("--best", help="The best elite; after qd verify the best verified one.")
    ] = False,
    id: Annotated[int | None, typer.Option(metavar="N", help="The candidate with this id.")] = None,
    cell: Annotated[str | None, typer.Option(metavar="I,J", help="The elite of this cell: bins from 0.")] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Elites that fulfil a condition over metrics, id, operator, emitter."),
    ] = None,
    pareto: Annotated[
        str | None, typer.Option(metavar="A,B", help="Elites that no other elite beats in all of these metrics.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="A,B", help="Some of safetensors,onnx,torch,circuit; default: all but the last."
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also model_raw.onnx: raw inputs in, class names or values out.")
    ] = False,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins; default: where they were when the run began.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, for the model card.")] = "not stated",
) -> None:
    """Take networks home: weights, ONNX and torch.export files, and a model card that says how to load them.

    Every file is loaded again and compared with the trained network; what differs is not exported. --where and --pareto
    make one folder for each network. Weights that were not kept are trained again from their seed.

    Example: `qd export results/first --best --to best_network`
    """
    from ..exporting import export as take_home

    ids = take_home(
        folder,
        to,
        best=best,
        id=id,
        cell=cell,
        where=where,
        pareto=pareto,
        formats=formats,
        raw=raw,
        plugins=plugins,
        licence=licence,
    )
    if where is None and pareto is None:
        note(f"exported {ids[0]} to {to}; how to load it: {to / 'README.md'}")
    else:
        note(f"exported {len(ids)} networks to {to}: {', '.join(map(str, ids[:20]))}{' …' if len(ids) > 20 else ''}")
