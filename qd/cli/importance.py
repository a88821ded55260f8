"""qd importance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .counter import Counter
from .output import note, print_json, stdout

if TYPE_CHECKING:
    from ..analysis.importance import Importance, Ranking, Share


def importance(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)],
    metric: Annotated[str | None, typer.Option(metavar="M", help="A logged metric; default: the objective.")] = None,
    bootstraps: Annotated[int, typer.Option(metavar="N", help="Resamples that give the intervals.")] = 20,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Rows of each table.")] = 12,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, as PNG, SVG or PDF.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Rank genes and modules by how much of a metric they decide, with intervals, and name interactions.

    Everything is read from the log: nothing is evaluated, and no plug-in is imported.

    Example: `qd importance results/first --metric val_accuracy --out importance.svg`
    """
    from ..analysis.importance import importance as rank
    from ..analysis.run import open_run
    from ..plots.base import FORMATS
    from ..plots.drawing import check_out

    if out is not None:
        check_out(out, FORMATS)
    run = open_run(folder)
    with Counter("bootstraps") as progress:
        ranking = rank(run, metric, bootstraps=bootstraps, progress=progress)
    if json:
        print_json(ranking.data())
    else:
        _print(ranking, limit)
    if out is not None:
        from ..plots.importance import importance_figure
        from ..plots.style import save

        save(importance_figure(ranking, run.folder.name), out)
        note(f"drawn: {out}")


def _print(ranking: Ranking, limit: int) -> None:
    to = stdout()
    to.print(
        f"{ranking.metric}: {ranking.candidates:,} candidates; the forests explain {_range(ranking.explained)} of its"
        " variance in candidates that they have not seen. Shares below are of what they explain."
    )
    for kind, items in (("gene", ranking.genes), ("module", ranking.modules)):
        if items:
            to.print(_table(kind, items[:limit]))
    if ranking.interactions:
        table = Table(box=None, title_justify="left", header_style="dim")
        table.add_column("interaction")
        table.add_column("share", justify="right")
        for one in ranking.interactions[:limit]:
            table.add_row(one.name, _range(one.total))
        to.print(table)


def _table(kind: str, items: Sequence[Importance]) -> Table:
    table = Table(box=None, title_justify="left", header_style="dim")
    table.add_column(kind)
    for column in ("decides", "alone"):
        table.add_column(column, justify="right")
    table.add_column("goes most with it")
    for one in items:
        assert one.alone is not None
        table.add_row(one.name, _range(one.total), _range(one.alone), f"{one.column} ({one.correlation:+.2f})")
    return table


def _range(share: Share) -> str:
    return f"{share.mean:.0%} ({share.low:.0%} to {share.high:.0%})"
