#!/usr/bin/env python
"""Runs a benchmark by name and prints its figures with machine and versions.

Examples:
  .venv/bin/python scripts/benchmark.py overhead --json
  .venv/bin/python scripts/benchmark.py training --only tokens "image shelf"
  .venv/bin/python scripts/benchmark.py economy --only digits --seeds 2 --evaluations 300
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil

import benchmarks

from qd import environment


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
    parser.add_argument("--seeds", type=int, metavar="N", help="of economy: so many, in place of 5")
    parser.add_argument(
        "--evaluations", type=int, metavar="N", help="of economy: of the plain search, in place of 1,000"
    )
    arguments = parser.parse_args()
    chosen = {name: getattr(arguments, name) for name in ("names", "seeds", "evaluations") if getattr(arguments, name)}
    measure = importlib.import_module(f"benchmarks.{arguments.name}").figures
    known = inspect.signature(measure).parameters
    for name in chosen.keys() - known.keys():
        parser.error(f"{arguments.name} does not take --{'only' if name == 'names' else name}")
    figures = measure(**chosen)
    report = {
        "benchmark": arguments.name,
        "machine": environment.machine(),
        "versions": environment.versions(),
        "figures": [figure.data() for figure in figures],
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    machine = report["machine"]
    print(f"{arguments.name} on {machine['processor']}, {machine['cores']} cores, {machine['system']}")
    for figure in figures:
        print(f"  {figure}")


if __name__ == "__main__":
    main()
