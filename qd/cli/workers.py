"""`--workers N`, the short form of an executor."""

from __future__ import annotations

from typing import Annotated

import typer

Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        show_default=False,
        help="How many workers, on this machine or on the cluster that the run file names; default: the run file's.",
    ),
]


def with_workers(overrides: list[str] | None, workers: int | None) -> list[str]:
    """Add what `--workers` stands for to the overrides."""
    return [*(overrides or []), *([] if workers is None else ["executor.kind=ray", f"executor.workers={workers}"])]
