"""qd doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import print_json, write

if TYPE_CHECKING:
    from ..runs.doctor import Diagnosis
    from ..training.rates import Rates


def doctor(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A run file: how many of its candidates would be trained together here."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Look at a Ray cluster too: local, auto or HOST:PORT.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the processor and each card, ten seconds for each.")
    ] = False,
    plugins: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the run file's plug-ins are; default: beside it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Say what a run would use here, and what is wrong; exit status 1 where something is.

    Example: `qd doctor --address auto`
    """
    from ..runs.doctor import doctor as examine

    found = examine(address, file, plugins, measure)
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
        "GPUs": "; ".join(map(str, found.gpus)) or "none that torch can use",
        "chunk": _chunk(found.chunk),
        **{name: _rates(rates) for name, rates in (found.measured or {}).items()},
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


def _chunk(chunk: dict[str, Any]) -> str:
    whose = chunk["run_file"] or "perceptrons of 784-12-10, as an example"
    if chunk["candidates"] is None:
        return f"the evaluator of {whose} does not say how many candidates it takes at once"
    each = f", about {chunk['bytes_each'] / 2**20:.3g} MiB each" if chunk["bytes_each"] else ""
    where = f" on {chunk['device']}" if chunk["device"] else ""
    return f"{chunk['candidates']:,} candidates together{where}{each} ({whose})"


def _rates(rates: Rates) -> str:
    products = {
        "float32": rates.float32_flops_per_second,
        "tf32": rates.tf32_flops_per_second,
        "bfloat16": rates.bfloat16_flops_per_second,
    }
    told = ", ".join(f"{name} {_flops(rate)}" for name, rate in products.items() if rate is not None)
    return (
        f"copies {rates.copy_bytes_per_second / 1e9:.3g} GB/s (read and written); products in {told};"
        f" {rates.launches_per_second:,.0f} launches a second"
    )


def _flops(rate: float) -> str:
    return f"{rate / 1e12:.3g} TFLOP/s" if rate >= 1e12 else f"{rate / 1e9:.3g} GFLOP/s"


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
