"""qd verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..wording import number
from .counter import Counter
from .output import print_json, stdout

if TYPE_CHECKING:
    from ..analysis.verification import Verification

ROWS_SHOWN = 20


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    cell: Annotated[str, typer.Option("--cells", metavar="all|I,J", help="All elites, or that of one cell.")] = "all",
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Elites that fulfil a condition over metrics, id, operator, emitter."),
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", help="Only the N best of them.")] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="Fresh seeds for each elite; those in the log count.")] = 5,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins; default: where they were when the run began.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Train elites again from fresh seeds: which of them are as good as the map says, and which were lucky.

    Evaluators with a test split score it here, and nowhere else. All of it is written to the run's log; what is there
    already is not repeated. Ctrl-C loses nothing: the same command goes on.

    Example: `qd verify results/first --top 20 --seeds 5`
    """
    from ..runs.verify import verify as train_again

    with Counter("evaluations") as progress:
        found = train_again(
            folder,
            cell=None if cell == "all" else cell,
            where=where,
            top=top,
            seeds=seeds,
            plugins=plugins,
            progress=progress,
        )
    if json:
        print_json({**found.summary(), "verified": found.records()})
    else:
        print_verification(found, stdout())


def print_verification(found: Verification, to: Console) -> None:
    """A table of the best verified elites, and one of the map."""
    data = found.summary()
    table = Table(box=None, pad_edge=False)
    objective, scored = data["objective"], data["verified_objective"]
    heads = ("archive", "verified mean") if scored == objective else (objective, scored)
    for name in ("id", "cell", *heads, "± spread", "drop", "seeds"):
        table.add_column(name, justify="left" if name == "cell" else "right", no_wrap=True)
    for row in found.records()[:ROWS_SHOWN]:
        cell = ",".join(map(str, row["cell"]))
        names = ("objective", "mean", "spread", "drop")
        seeds = f"{row['seeds']}" + (f" ({row['failed']} failed)" if row["failed"] else "")
        table.add_row(str(row["id"]), cell, *[number(row[name]) for name in names], seeds)
    to.print(f"{objective} of {data['elites_verified']:,} verified elites (of {data['elites']:,}), best first")
    if scored != objective:
        to.print(f"{objective} is of the validation split, which the search saw; {scored} of the test split")
    to.print(table)
    if len(found.elites) > ROWS_SHOWN:
        to.print(f"… and {len(found.elites) - ROWS_SHOWN:,} more (--json lists them all)")
    to.print(_map_table(data))


def _map_table(data: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    before, after = data["archive"], data["verified_archive"]
    arrow = "{} → {} verified"
    table.add_row("QD score", arrow.format(number(before["qd_score"]), number(after["qd_score"])))
    table.add_row("", f"normalised {before['normalised_qd_score']:.4f} → {after['normalised_qd_score']:.4f}")
    table.add_row("coverage", arrow.format(f"{before['coverage']:.1%}", f"{after['coverage']:.1%}"))
    table.add_row("mean drop", number(data["mean_drop"]))
    if "inherited" in data:
        inherited, others = number(data["mean_drop_inherited"]), number(data["mean_drop_from_scratch"])
        table.add_row(
            "", f"{inherited} of {data['inherited']:,} that began with a parent's weights, {others} of others"
        )
    table.add_row("cells that keep their elite", f"{data['cells_kept']:.0%}")
    if data["ranks_kept"] is not None:
        table.add_row("elites that keep their rank", f"{data['ranks_kept']:.0%}")
    table.add_row("rank correlation", number(data["rank_correlation"]) + " (Spearman, archive and verified values)")
    return table
