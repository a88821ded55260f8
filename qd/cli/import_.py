"""qd import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import note


def import_(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER…", help="Exports, folders of exports, or runs (their elites).", show_default=False
        ),
    ],
    into: Annotated[Path, typer.Option(metavar="RUNFILE", help="The run file to add them to.", show_default=False)],
    plugins: Annotated[
        Path | None,
        typer.Option(help="Folder of the run file's space, where it is a plug-in; default: the run file's."),
    ] = None,
) -> None:
    """Let architectures that were found before seed a new search: they are proposed first.

    The run file's space may have more genes than theirs: missing ones take their defaults, which is said. They are
    written to the run file itself, under the key `imported`.

    Example: `qd import best_network results/first --into my_search.yaml`
    """
    from ..transfer.seeding import import_into

    result = import_into(into, sources, plugins=plugins)
    known = f", {result.known:,} were there already" if result.known else ""
    refused = f", {len(result.refused):,} refused" if result.refused else ""
    note(f"{len(result.added):,} architectures added to {into}{known}{refused}; next: qd run {into}")
