"""qd serve."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from .looking import PluginsToLook

NICENESS = 10
"""How far it steps back behind other processes: a search on the same machine comes first."""


def serve(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder of runs.")] = Path("results"),
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Any but loopback asks for a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8050,
    plugins: PluginsToLook = None,
) -> None:
    """Look at runs in a browser, also while they go on: maps, networks, lineage, curves.

    The logs are opened read-only, no plug-in is imported without --plugins, and no other host is contacted. Ctrl-C
    ends it.

    Example: `qd serve results --port 8050`
    """
    from ..dashboard.server import serve as answer

    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    answer(results, host, port, plugins)
