"""qd elites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ..errors import UsageError
from ..wording import number
from .looking import PluginsToLook
from .output import print_csv, print_json, stdout

if TYPE_CHECKING:
    from ..analysis.run import Run

COLUMNS_SHOWN = 6


def elites(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="A condition over metrics, id, operator and emitter.")
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="METRIC", help="Best first; default: the objective.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
    plugins: PluginsToLook = None,
) -> None:
    """List the elites of a run, the best first.

    Example: `qd elites results/first --where "active_parameters < 20000 AND operator = 'crossover'" --limit 5`
    """
    if json and csv:
        raise UsageError("--json and --csv exclude each other; give one")
    from search_spaces.genes import to_json

    from ..analysis.elites import columns, elite_rows, records
    from ..analysis.run import open_run

    run = open_run(folder, plugins=plugins)
    rows = elite_rows(run, where, sort, limit)
    if json:
        print_json(records(run, rows))
    elif csv:
        nested = ("cell", "parents", "genotype")
        print_csv(columns(run), [row | {name: to_json(row[name]) for name in nested} for row in rows])
    else:
        _print_table(run, rows, sort)


def _print_table(run: Run, rows: Sequence[dict[str, Any]], sort: str | None) -> None:
    names = [run.archive.objective.metric, *(axis.metric for axis in run.archive.axes), *([sort] if sort else [])]
    names = list(dict.fromkeys([*names, *run.metrics]))[:COLUMNS_SHOWN]
    console = stdout()
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("cell", no_wrap=True)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right", min_width=7)
    if run.reevaluates:
        names.append("samples")
        table.add_column("samples", justify="right")
    if run.inherits:
        table.add_column("inherited from", justify="right")
    table.add_column("architecture", overflow="ellipsis", no_wrap=True, ratio=1)
    for row in rows:
        cell = ",".join(map(str, row["cell"]))
        values = [number(row[name]) for name in names]
        if run.inherits:
            values.append("" if row["inherited_from"] is None else str(row["inherited_from"]))
        table.add_row(str(row["id"]), cell, *values, escape(row["readable"]))
    console.print(table if rows else "no elites match" if len(run.archive) else "no elites yet")
