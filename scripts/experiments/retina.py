"""Runs the retina experiment of Mouret & Clune (2015) and writes an account of it; see scripts/retina_experiment."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from account import Plan, write_account

from qd.analysis.comparison import compare
from qd.analysis.run import open_run
from qd.cli.progress_over_all import ProgressOverAll
from qd.config import BudgetConfig
from qd.errors import QdError
from qd.plots.heatmap import save_heatmap
from qd.plots.style import save
from qd.plots.treatments import box_plots, curves, merged_maps
from qd.runs.campaign import Job, perform
from qd.store.folder import write_atomically

RUN_FILES = Path(__file__).resolve().parents[1] / "runs"
TREATMENTS = ("map_elites", "evolutionary", "novelty", "random")
REFINEMENTS = ((16, 64), (8, 128), (4, 256), (2, 512))
"""(n, bins): after one n-th of the budget the map of MAP-Elites has this many bins along each axis."""


def main() -> int:
    """Run what is missing, compare, write."""
    parser = argparse.ArgumentParser(prog="scripts/retina_experiment", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of each treatment (default: %(default)s)")
    parser.add_argument("--evaluations", type=int, default=2_000_000, help="of each run (default: %(default)s)")
    parser.add_argument("--long", type=int, default=20_000_000, help="of one more MAP-Elites (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="runs at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/retina"), help="folder (default: %(default)s)")
    plan = Plan(**vars(parser.parse_args()))
    jobs = [_job(plan, "map_elites", 1000, plan.long, plan.out / "long")]
    jobs += [
        _job(plan, treatment, seed, plan.evaluations, plan.out / "runs" / treatment / f"seed-{seed:03d}")
        for seed in range(plan.runs)
        for treatment in TREATMENTS
    ]
    total = plan.long + plan.evaluations * (len(jobs) - 1)
    budget = BudgetConfig(evaluations=max(1, total // len(jobs)))
    try:
        with ProgressOverAll([job.name for job in jobs], budget) as report:
            if not perform(jobs, plan.processes, report):
                print("interrupted; the same command goes on from here", file=sys.stderr)
                return 130
        _write(plan)
    except QdError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(f"written: {plan.out / 'README.md'}", file=sys.stderr)
    return 0


def _job(plan: Plan, treatment: str, seed: int, evaluations: int, out: Path) -> Job:
    overrides = [f"search.seed={seed}", f"budget.evaluations={evaluations}"]
    if treatment == "map_elites":
        steps = [f"{{evaluations: {evaluations // share}, bins: {bins}}}" for share, bins in REFINEMENTS]
        overrides.append(f"archive.refine=[{', '.join(steps)}]")
    name = f"{treatment} {seed}" if evaluations == plan.evaluations else f"{treatment}, long"
    return Job(name, RUN_FILES / f"retina_{treatment}.yaml", out, tuple(overrides))


def _write(plan: Plan) -> None:
    found = compare([plan.out / "runs" / treatment for treatment in TREATMENTS])
    long = open_run(plan.out / "long")
    pictures = plan.out / "pictures"
    pictures.mkdir(exist_ok=True)
    save(box_plots(found), pictures / "box_plots.png")
    save(merged_maps(found), pictures / "merged_maps.png")
    save(curves(found), pictures / "curves.png")
    save_heatmap(long.archive, pictures / "long.png", f"MAP-Elites, {plan.long:,} evaluations")
    write_atomically(plan.out / "compare.json", (json.dumps(found.data(), indent=1) + "\n").encode())
    write_account(plan, found, long)


if __name__ == "__main__":
    sys.exit(main())
