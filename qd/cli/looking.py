"""The option that all commands share that look at runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PluginsToLook = Annotated[
    Path | None,
    typer.Option(
        "--plugins",
        metavar="FOLDER",
        help="Where the archive's kind lies, if it is a plug-in; default: none is imported.",
        show_default=False,
    ),
]
"""Of commands that look at runs: nothing of a stranger is imported unless asked for."""
