#!/usr/bin/env python
"""Runs a benchmark by name and prints its figures with machine and versions.

Examples:
  .venv/bin/python scripts/benchmark.py overhead --json
  .venv/bin/python scripts/benchmark.py training --only tokens "image shelf"
  .venv/bin/python scripts/benchmark.py economy --only digits --seeds 2 --evaluations 300
  .venv/bin/python scripts/benchmark.py gpu --device cpu --small --out results/gpu
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import benchmarks

from qd import environment
from qd.runs.cards import usable_cards


def main() -> None:
    """Parse the name, run, print."""
    files = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    names = [name for name in files if name not in ("examples", "figures")]  # what benchmarks share
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=names)
    parser.add_argument("--json", action="store_true", help="print JSON alone on stdout")
    parser.add_argument(
        "--only", nargs="+", dest="names", metavar="NAME", help="of training: these mixes; of economy: these problems"
    )
    parser.add_argument("--ways", nargs="+", metavar="WAY", help="of economy: these, in place of all")
    parser.add_argument("--seeds", type=int, metavar="N", help="of economy: so many, in place of 5")
    parser.add_argument(
        "--evaluations", type=int, metavar="N", help="of economy: of the plain search, in place of 1,000"
    )
    parser.add_argument("--device", help="of gpu: cuda, cuda:1 or cpu")
    parser.add_argument("--small", action="store_true", help="of gpu: a few networks, to try the benchmark itself")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report.json and README.md there")
    arguments = parser.parse_args()
    keys = ("names", "ways", "seeds", "evaluations", "device", "small")
    chosen = {name: getattr(arguments, name) for name in keys if getattr(arguments, name)}
    measure = importlib.import_module(f"benchmarks.{arguments.name}").figures
    known = inspect.signature(measure).parameters
    for name in chosen.keys() - known.keys():
        parser.error(f"{arguments.name} does not take --{'only' if name == 'names' else name}")
    report: dict[str, Any] = {
        "benchmark": arguments.name,
        "machine": environment.machine(),
        "versions": environment.versions(),
        "gpus": [str(card) for card in usable_cards()],
        "figures": [],
    }
    machine = report["machine"]
    title = f"{arguments.name} on {machine['processor']}, {machine['cores']} cores, {machine['system']}"
    if not arguments.json:
        print(title)
    for figure in measure(**chosen):
        report["figures"].append(figure.data())
        if not arguments.json:
            print(f"  {figure}", flush=True)
        if arguments.out:  # at once: whoever ends it early has what was measured
            write(report, title, arguments.out)
    if arguments.json:
        print(json.dumps(report, indent=2))


def write(report: dict[str, Any], title: str, folder: Path) -> None:
    """Write a report as JSON and as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        f"# {title}",
        "",
        f"{'; '.join(report['gpus']) or 'No GPU'}. {versions}.",
        "",
        "| figure | value | spread | target |",
        "|---|---|---|---|",
    ]
    for one in report["figures"]:
        low, high = one["spread"]
        spread = f"{low:.4g} to {high:.4g}" if one["samples"] > 1 else ""
        target = "" if one["target"] is None else f"{one['target']:g}: {'holds' if one['holds'] else '**missed**'}"
        lines.append(f"| {one['name']} | {one['value']:.4g} {one['unit']} | {spread} | {target} |")
    (folder / "README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
