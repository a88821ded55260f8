"""qd init."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .output import note


def init(
    data: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="A file, a folder, or the name of a data set; asked for if left out."),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="Of a table: what is to be predicted.")] = None,
    kind: Annotated[str | None, typer.Option(help="Of data; default: what the file's ending says.")] = None,
    keys: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another key of the kind: split.test=0.3")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The run file; nothing is overwritten.")] = Path("run.yaml"),
    goal: Annotated[
        str | None,
        typer.Option(metavar="GOAL", help="What the map is about: size (default), speed or specialisation."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="That the search may take; default: 5.")] = None,
    space: Annotated[str, typer.Option(help="Of networks; sparse_moe takes every input.")] = "sparse_moe",
    plugins: Annotated[Path | None, typer.Option(help="Folder of plug-ins; default: this one.")] = None,
) -> None:
    """Write a run file for your data, from options, or from answers on a terminal.

    Example: `qd init --data digits --goal specialisation --minutes 2 --out digits.yaml`
    """
    if data is None:
        if not sys.stdin.isatty():
            raise UsageError("`data`: where are they? A file, a folder or a name: qd init --data my.csv --target price")
        place = str(typer.prompt("Where are the data (a file, a folder, or a name such as digits)?", err=True))
        if target is None and place.lower().endswith((".csv", ".tsv", ".parquet")):
            target = typer.prompt("Which column is to be predicted?", err=True)
        goal = goal or typer.prompt("What matters beside accuracy (size, speed, specialisation)?", "size", err=True)
        minutes = minutes or typer.prompt("How many minutes may a search take?", 5.0, err=True)
    else:
        place = data
    from ..starting import init as begin

    written = begin(
        place,
        target=target,
        kind=kind,
        keys=keys or (),
        out=out,
        goal=goal or "size",
        minutes=5 if minutes is None else minutes,
        space=space,
        plugins=plugins,
    )
    note(f"written: {written}\nnext: qd run {written}")
