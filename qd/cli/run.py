"""qd run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .output import note
from .workers import Workers, with_workers


def run(
    run_file: Annotated[Path, typer.Argument(metavar="RUNFILE", help="The run file (YAML).", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Keys to change: budget.evaluations=50", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; default: the first free results/RUNFILE-NNN.")
    ] = None,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins named my_file:MyClass; default: the run file's.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="A:B", help="A run for each seed from A to B - 1, in --out/seed-NNN; what is there is gone on with."
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="With --seeds: how many runs at a time.")] = 1,
    workers: Workers = None,
) -> None:
    """Launch a search, or one for each of several seeds.

    Ctrl-C ends it after what is under way; `qd resume` (with --seeds: the same command) goes on from there.

    Example: `qd run scripts/runs/fashion_moe.yaml budget.evaluations=50 --workers 2 --out results/first`
    """
    changes = with_workers(overrides, workers)
    if seeds is not None:
        sys.exit(_run_seeds(run_file, seeds, changes, out, plugins, processes))
    if processes > 1:
        raise UsageError("--processes: a single search is one process; give --seeds too")
    from ..config import load
    from ..runs import launch  # loads pyribs, which takes seconds: `qd --help` should not
    from .ending import finish
    from .progress import Progress

    with Progress(load(run_file, changes).budget) as progress:
        found = launch.run(run_file, out=out, plugins=plugins, progress=progress, overrides=changes)
    sys.exit(finish(found))


def _run_seeds(
    run_file: Path, seeds: str, overrides: list[str], out: Path | None, plugins: Path | None, processes: int
) -> int:
    from ..config import load
    from ..runs.campaign import parse_seeds, perform, seed_jobs
    from .ending import INTERRUPTED
    from .progress_over_all import ProgressOverAll

    folder = out or Path("results") / run_file.stem
    jobs = seed_jobs(run_file, parse_seeds(seeds), folder, overrides, plugins)
    with ProgressOverAll([job.name for job in jobs], load(run_file, overrides).budget) as report:
        ended = perform(jobs, processes, report)
    if not ended:
        note("interrupted; the same command goes on from here")
        return INTERRUPTED
    note(f"{len(jobs)} runs: {folder}\nnext: qd compare {folder}")
    return 0
