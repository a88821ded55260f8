"""qd data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..wording import number
from .output import note, print_json, write

if TYPE_CHECKING:
    from ..inspecting import Inspection

SHOWN = 8
"""Classes that are listed, the largest and the smallest."""
MOST_LINES = 40
"""That a kind says of its source, such as columns; JSON has them all."""


def data(
    run_file: Annotated[
        Path | None,
        typer.Argument(metavar="[RUNFILE]", help="A run file, whose data are looked at.", show_default=False),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Keys of the run file to change.", metavar="[KEY=VALUE]")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Of data, without a run file: table, digits, my_file:MyData.")
    ] = None,
    path: Annotated[Path | None, typer.Option(help="The kind's key path: the file or folder.")] = None,
    target: Annotated[str | None, typer.Option(help="The kind's key target: the column to predict.")] = None,
    keys: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another key of the kind: split.test=0.3")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw a sheet of examples: .png, .svg or .pdf.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins; default: the run file's, or this one.")
    ] = None,
) -> None:
    """Say what was read of a data set, how far simple models get, and how long an epoch takes.

    Example: `qd data --kind digits --out digits.png`
    """
    from ..inspecting import data as look

    found = look(
        run_file,
        kind=kind,
        path=path,
        target=target,
        keys=keys or (),
        out=out,
        overrides=overrides or (),
        plugins=plugins,
    )
    if json:
        print_json(found.as_data())
    else:
        for name, line in _lines(found):
            write(f"{name:<12}{line}")
    if out is not None:
        note(f"drawn: {out}")


def _lines(found: Inspection) -> list[tuple[str, str]]:
    facts = found.facts
    read, task = facts["read"], facts["task"]
    shape = " x ".join(map(str, read["shape"])) or "1"
    lines = [
        ("data", f"{facts['name']}, licence: {facts['licence']}"),
        ("read", f"{sum(facts['parts'].values()):,} examples, each {shape} {read['type']}"),
        ("network", f"{_of_task(task['input'])} in, {_of_task(task['output'])} out"),
        ("parts", ", ".join(f"{size:,} {name}" for name, size in facts["parts"].items())),
    ]
    lines += [("classes" if index == 0 else "", line) for index, line in enumerate(_classes(facts["classes"] or []))]
    for one in facts["values"] or []:
        low, high, mean, deviation = (number(one[key]) for key in ("low", "high", "mean", "deviation"))
        lines.append(("target", f"{low} to {high}, mean {mean}, standard deviation {deviation}"))
    if (ranges := facts["inputs"]) is not None:
        low, high, mean = (number(ranges[key]) for key in ("low", "high", "mean"))
        lines.append(
            ("inputs", f"{low} to {high}, mean {mean}; {ranges['constant']:,} of {ranges['numbers']:,} constant")
        )
    said = facts["described"]
    said = said[:MOST_LINES] + ([f"and {len(said) - MOST_LINES:,} more"] if len(said) > MOST_LINES else [])
    lines += [("source" if index == 0 else "", line) for index, line in enumerate(said)]
    missing = sorted(facts["missing"].items(), key=lambda one: -one[1])
    listed = ", ".join(f"{name} {count:,}" for name, count in missing[:SHOWN])
    more = f" and {len(missing) - SHOWN} more columns" if len(missing) > SHOWN else ""
    if not facts["described"]:
        lines.append(("missing", f"{listed}{more}" or "nothing"))
    lines.append(("duplicates", _duplicates(facts["duplicates"])))
    for one in found.baselines:
        scores = ", ".join(f"{name} {number(value)}" for name, value in one.scores.items())
        lines.append(("baseline", f"{one.name}: {scores} (fitted to {one.rows:,} examples)"))
    if (epoch := found.epoch) is not None:
        part = "" if epoch.measured >= 1 else f", told from {epoch.measured:.0%} of it"
        alone, together = (f"{value:.2g} s" for value in (epoch.seconds, epoch.together))
        lines.append(
            (
                "an epoch",
                f"{alone} for {epoch.parameters:,} parameters alone, {together} for each of several at once{part}",
            )
        )
    return lines + [("warning", line) for line in found.warnings]


def _of_task(one: dict[str, Any]) -> str:
    sizes = ", ".join(f"{name} {size:,}" for name, size in one.items() if name != "kind")
    return f"{one['kind'].replace('_', ' ')} ({sizes})"


def _classes(classes: list[dict[str, Any]]) -> list[str]:
    if not classes:
        return []
    by_size = sorted(classes, key=lambda one: -one["train"])
    if len(classes) <= SHOWN:
        return [f"{len(classes)}; training examples: " + _counts(classes)]
    return [
        f"{len(classes)}; training examples of the largest: {_counts(by_size[: SHOWN // 2])}",
        f"of the smallest: {_counts(by_size[-(SHOWN // 2) :])}",
    ]


def _counts(classes: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['name']} {one['train']:,}" for one in classes)


def _duplicates(found: dict[str, Any]) -> str:
    within = ", ".join(f"{count:,} in {name}" for name, count in found["within"].items() if count)
    across = ", ".join(f"{count:,} in {name}" for name, count in found["across"].items() if count)
    return "; ".join(line for line in (within, f"across parts: {across}" if across else "") if line) or "none"
