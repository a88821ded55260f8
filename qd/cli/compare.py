"""qd compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..errors import UsageError
from ..wording import number
from .looking import PluginsToLook
from .output import note, print_json, stdout

if TYPE_CHECKING:
    import numpy as np

    from ..analysis.comparison import Comparison


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders of runs, or folders that hold some.", show_default=False),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw box plots, merged maps and curves there.")
    ] = None,
    plugins: PluginsToLook = None,
) -> None:
    """Compare groups of runs: those with one run file but for the seed are one treatment.

    Prints how good each run is beside the best of all (Mouret & Clune 2015), and exact Mann-Whitney tests.

    Example: `qd compare results/map_elites results/random --pictures results/pictures`
    """
    from ..analysis.comparison import compare as find
    from .counter import Counter

    with Counter("runs") as progress:
        found = find(folders, progress, plugins)
    if pictures is not None:
        _draw(found, pictures)
    if json:
        print_json(found.data())
    else:
        _print_tables(found)


def _draw(found: Comparison, folder: Path) -> None:
    from ..plots.style import save
    from ..plots.treatments import box_plots, curves, merged_maps

    if not folder.resolve().parent.is_dir():
        raise UsageError(f"--pictures {folder}: there is no folder {folder.resolve().parent}")
    folder.mkdir(exist_ok=True)
    save(box_plots(found), folder / "box_plots.png")
    save(curves(found), folder / "curves.png")
    drawn = "box_plots.png, curves.png"
    if len(found.treatments[0].merged.axes) <= 2:
        save(merged_maps(found), folder / "merged_maps.png")
        drawn += ", merged_maps.png"
    note(f"drawn in {folder}: {drawn}")


def _print_tables(found: Comparison) -> None:
    import numpy as np

    console = stdout()
    archive = found.treatments[0].merged
    console.print(
        f"{found.evaluations:,} evaluations a run; {found.filled:,} of {archive.cells:,} cells filled by any run"
    )
    table = Table(box=None, title="median (quartiles) over runs", title_justify="left", title_style="bold")
    table.add_column("treatment")
    statistics = [name.replace("_", " ") for name in found.treatments[0].statistics]
    for heading in ("runs", f"median best {archive.objective.metric}", *statistics):
        table.add_column(heading, justify="right")
    for one in found.treatments:
        shares = [_quartiles(values) for values in one.statistics.values()]
        table.add_row(one.name, str(len(one.folders)), number(float(np.median(one.objectives))), *shares)
    console.print(table)
    if len(found.treatments) < 2:
        return
    table = Table(box=None, title="exact two-tailed Mann-Whitney U tests", title_justify="left", title_style="bold")
    for heading in ("statistic", "first", "second"):
        table.add_column(heading)
    for heading in ("U", "p", "chance that the first is greater"):
        table.add_column(heading, justify="right")
    for test in found.tests:
        result = test.result
        name = test.statistic.replace("_", " ")
        table.add_row(name, test.first, test.second, f"{result.u:g}", f"{result.p:.2g}", f"{result.superiority:.3f}")
    console.print(table)


def _quartiles(values: np.ndarray) -> str:
    import numpy as np

    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3f} ({low:.3f}–{high:.3f})"
