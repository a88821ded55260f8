"""qd library build, list and show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ..wording import number
from .options import Command
from .output import note, print_json, stdout, write

if TYPE_CHECKING:
    from search_spaces.library import ModuleRecord

app = typer.Typer(
    help="Libraries of trained modules, which the space `module_library` composes networks from.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Folder = Annotated[Path, typer.Argument(metavar="LIBRARY", help="The library's folder.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command(cls=Command)
def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|EXPORT|ccexam...",
            help="Folders of runs or exports; ccexam, ccexam:mnist, …: networks that others trained.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="LIBRARY", help="The library; made where it is not there yet.")],
    top: Annotated[int, typer.Option(min=1, help="How many of the best elites of each run.")] = 1,
    plugins: Annotated[Path | None, typer.Option(help="Folder of the runs' plug-ins.")] = None,
) -> None:
    """Add the trained modules of networks to a library.

    Modules with the same weights are kept once. The networks of ccexam are fetched by
    `python -m evaluators.data.ccexam`.

    Example: `qd library build results/reuse-001 --to results/modules`
    """
    from ..transfer import libraries

    added = libraries.build(sources, to, top=top, plugins=plugins)
    for record in added:
        note(f"{record.name}: {record.input} to {record.output}, {record.parameters:,} parameters")
    note(f"{len(added)} modules added: {to}\nnext: qd library list {to}")


@app.command("list", cls=Command)
def list_(folder: Folder, json: Json = False) -> None:
    """List the modules of a library.

    Example: `qd library list results/modules`
    """
    from ..transfer import libraries

    records = libraries.list(folder)
    if json:
        print_json([_data(record) for record in records])
        return
    table = Table(box=None)
    for heading in ("module", "takes", "gives", "task"):
        table.add_column(heading)
    for heading in ("accuracy", "parameters"):
        table.add_column(heading, justify="right")
    for record in records:
        cells = (str(record.input), str(record.output), record.task, number(record.accuracy))
        table.add_row(record.name, *cells, f"{record.parameters:,}")
    stdout().print(table)


@app.command(cls=Command)
def show(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="MODULE", help="Its name, as list gives it.", show_default=False)],
    json: Json = False,
) -> None:
    """Show what is known of a module.

    Example: `qd library show results/modules mnist_conv1_3f2a9c1b`
    """
    from ..transfer import libraries

    data = _data(libraries.show(folder, name))
    if json:
        print_json(data)
        return
    statistics = data.pop("statistics")
    for key, value in data.items():
        write(f"{key}: {value}")
    if statistics:
        write(f"inputs: from {number(statistics['low'])} to {number(statistics['high'])}")


def _data(record: ModuleRecord) -> dict[str, Any]:
    return {"name": record.name, **record.data()}
