"""qd plot."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .counter import Counter
from .options import Command
from .output import note


class PlotCommand(Command):
    """`qd plot`, whose help lists the kinds: they are looked up when somebody asks for it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with all kinds below its first line; those of installed packages are not imported."""
        own = dict(_own_kinds())
        lines = [f"- `{name}`: {about}" for name, about in own.items()]
        installed = sorted(entry_points(group="qd.plots").names - own.keys())
        lines += [f"- `{name}`: of an installed package" for name in installed]
        first, _, rest = (self.help or "").partition("\n\n")
        before, self.help = self.help, "\n\n".join([first, *lines, rest])
        try:
            super().format_help(ctx, formatter)
        finally:
            self.help = before


def _own_kinds() -> Iterator[tuple[str, str]]:
    """Name of each kind and what it says of itself, read from its file: importing it would load matplotlib."""
    from ..plots.base import FORMATS

    for path in sorted((Path(__file__).parents[1] / "plots").glob("*.py")):
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.ClassDef):
                lines = [line for line in node.body if isinstance(line, ast.Assign)]
                said = {ast.unparse(line.targets[0]): line.value for line in lines}
                if "about" in said:
                    formats = ast.literal_eval(said["formats"]) if "formats" in said else FORMATS
                    yield path.stem, f"{ast.literal_eval(said['about'])} ({', '.join(formats)})"


CLASS = PlotCommand
"""Of the command, in place of `Command`."""


def plot(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="What to draw: see above, or my_file:MyPlot of --plugins.", show_default=False
        ),
    ],
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", help="A run's folder; curves and difference take several.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it.", show_default=False)],
    measures: Annotated[str | None, typer.Option(metavar="A,B", help="Logged metrics as axes.")] = None,
    objective: Annotated[str | None, typer.Option(metavar="M", help="A logged metric as colour or height.")] = None,
    cost: Annotated[str | None, typer.Option(metavar="M", help="pareto: the metric that is to be small.")] = None,
    over: Annotated[str | None, typer.Option(metavar="WHAT", help="curves: evaluations or seconds.")] = None,
    ids: Annotated[
        list[int] | None, typer.Option("--id", metavar="N", help="lineage, architecture: a candidate; comparison: two.")
    ] = None,
    frames: Annotated[int | None, typer.Option(metavar="N", help="filling: how many pictures.")] = None,
    accepted_only: Annotated[
        bool, typer.Option("--accepted-only", help="Of a `log: accepted`, draw other measures from what it has kept.")
    ] = False,
    plugins: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Of a plug-in that draws, or of the archive's kind if that is one.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw a picture of a run, from its log alone.

    Example: `qd plot pareto results/first --cost macs --out front.svg`
    """
    from ..plots.drawing import check_out, draw, find_plot

    chosen = find_plot(kind, plugins)
    check_out(out, chosen.formats)
    options: dict[str, Any] = {
        "measures": [name.strip() for name in measures.split(",")] if measures else None,
        "objective": objective,
        "cost": cost,
        "over": over,
        "frames": frames,
        **_ids(chosen.draw, ids or []),
    }
    taken = {*options, "id", "ids"}
    options = {name: value for name, value in options.items() if value is not None}
    _check_options(kind, chosen.draw, options, taken)
    if chosen.takes == "run" and len(folders) > 1:
        raise UsageError(f"qd plot {kind}: takes one run, got {len(folders)}")
    with Counter("pictures") as progress:
        if "progress" in inspect.signature(chosen.draw).parameters:
            options["progress"] = progress
        draw(chosen, *folders, out=out, accepted_only=accepted_only, plugins=plugins, **options)
    note(f"drawn: {out}")


def _ids(draw: Callable[..., Any], ids: list[int]) -> dict[str, Any]:
    if not ids:
        return {}
    if "ids" in inspect.signature(draw).parameters:
        return {"ids": ids}
    if len(ids) > 1:
        raise UsageError(f"--id: expected one candidate, got {len(ids)}")
    return {"id": ids[0]}


def _check_options(kind: str, draw: Callable[..., Any], options: dict[str, Any], taken: set[str]) -> None:
    """Refuse options that the kind has not, and miss those that it needs; `taken` are all of the command."""
    parameters = list(inspect.signature(draw).parameters.values())[1:]
    known = ["--id" if one.name == "ids" else f"--{one.name}" for one in parameters if one.name in taken]
    for name in options:
        if f"--{name}" not in [*known, "--ids"]:
            raise UsageError(f"qd plot {kind}: has no option --{name}; it takes {', '.join(known) or 'none but --out'}")
    for one in parameters:
        if one.default is inspect.Parameter.empty and one.name not in options:
            raise UsageError(f"qd plot {kind}: --{one.name.removesuffix('s')} is missing: name two candidates")
