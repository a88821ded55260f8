"""qd stream."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..wording import number
from .output import note, print_json, stdout

if TYPE_CHECKING:
    from ..transfer.stream import StreamResult


def stream(
    run_file: Annotated[
        Path,
        typer.Argument(metavar="RUNFILE", help="A run file of module_library and task_stream.", show_default=False),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Keys to change: budget.evaluations=50", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs and the library; default: results/RUNFILE.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of each task's best elites give modules.")] = 1,
    alone: Annotated[
        bool, typer.Option(help="Search each task without a library too, for the forward transfer.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Learn a sequence of tasks: a search for each, with a library of modules that grows in between.

    What is there is gone on with: after Ctrl-C, the same command continues.

    Example: `qd stream scripts/runs/reuse_library.yaml --out results/reuse_library`
    """
    from ..config import load
    from ..transfer.stream import stream as learn
    from .ending import INTERRUPTED
    from .progress_over_all import ProgressOverAll

    folder, changes = out or Path("results") / run_file.stem, overrides or []
    names = [f"task {index + 1}" for index in range(len(load(run_file, changes).evaluator.arguments.get("tasks", [])))]
    with ProgressOverAll(names, load(run_file, changes).budget) as report:
        result = learn(run_file, folder, top=top, alone=alone, overrides=changes, report=report)
    if result is None:
        note("interrupted; the same command goes on from here")
        sys.exit(INTERRUPTED)
    if json:
        print_json(result.data())
    else:
        _print(result)
    note(f"{len(result.tasks)} tasks: {folder}\nnext: qd library list {folder / 'library'}")


def _print(result: StreamResult) -> None:
    table = Table(box=None, title="test accuracy of each task's best elite", title_justify="left", title_style="bold")
    table.add_column("task")
    for heading in ("accuracy", "without a library", "after the last task", "evaluations", "modules"):
        table.add_column(heading, justify="right")
    for one, final in zip(result.tasks, result.final, strict=True):
        shown = (number(one.accuracy), number(one.alone), number(final), str(one.evaluations), str(one.library))
        table.add_row(one.task, *shown)
    console = stdout()
    console.print(table)
    for name, value in result.metrics.items():
        console.print(f"{name.replace('_', ' ')}: {number(value)}")
