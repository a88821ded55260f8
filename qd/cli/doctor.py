"""qd doctor."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import print_json, write

if TYPE_CHECKING:
    from ..runs.doctor import Diagnosis


def doctor(
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Look at a Ray cluster too: local, auto or HOST:PORT.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Say what a run would use here, and what is wrong; exit status 1 where something is.

    Example: `qd doctor --address auto`
    """
    from ..runs.doctor import doctor as examine

    found = examine(address)
    if json:
        print_json(found.as_data())
    else:
        _print(found)
    sys.exit(1 if found.problems else 0)


def _print(found: Diagnosis) -> None:
    machine = found.machine
    lines = {
        "versions": ", ".join(f"{name} {version}" for name, version in found.versions.items()),
        "cores": f"{machine['usable_cores']} of {machine['cores']} usable, {machine['processor']}",
        "memory": f"{machine['memory_gib']} GiB, {machine['free_memory_gib']} of them free",
        "GPUs": ", ".join(found.gpus) or "none that torch can use",
        "data": ", ".join(f"{name} in {place}" if place else f"no {name}" for name, place in found.data.items()),
        "cluster": _cluster(found.cluster),
        "a run": _run(found),
    }
    for name, line in lines.items():
        write(f"{name:<10}{line}")
    for problem in found.problems:
        write(f"\nwrong with {problem.about}: {problem.message}")
    if not found.problems:
        write("\nall is well")


def _cluster(cluster: dict[str, Any] | None) -> str:
    if cluster is None:
        return "not looked at (--address)"
    nodes = [
        f"{node['host']} ({node['resources'].get('CPU', 0):g} cores, {node['resources'].get('GPU', 0):g} GPUs)"
        for node in (report["node"] for report in cluster["nodes"])
    ]
    return f"{cluster['address']}: {', '.join(nodes)}"


def _run(found: Diagnosis) -> str:
    if found.run["executor"] == "ray":
        return f"has room for {found.run['workers']} workers of one core each on the cluster"
    cores, device = found.machine["usable_cores"], found.run["device"]
    return f"trains in its own process, on {device}; with --workers {cores} in {cores} worker processes"
