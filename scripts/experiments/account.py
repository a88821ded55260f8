"""The one-page account of the retina experiment, made from what `qd compare` found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qd import environment
from qd.analysis.comparison import STATISTICS, Comparison, Treatment
from qd.analysis.run import Run
from qd.store.folder import write_atomically

SIGNIFICANT = 1e-7
"""The paper's own."""
NAMES = {
    "map_elites": "MAP-Elites",
    "evolutionary": "evolutionary algorithm",
    "novelty_local_competition": "novelty search with local competition",
    "random": "random sampling",
}


@dataclass(frozen=True)
class Plan:
    """What to run.

    Args:
        runs: of each treatment.
        evaluations: of each of them.
        long: evaluations of one more MAP-Elites run.
        processes: runs at a time.
        out: where it is written.
    """

    runs: int
    evaluations: int
    long: int
    processes: int
    out: Path


def write_account(plan: Plan, found: Comparison, long: Run) -> None:
    """Write README.md."""
    machine, versions = environment.machine(), environment.versions()
    minutes = (sum(float(one.seconds.sum()) for one in found.treatments) + long.seconds) / 60
    summary = long.summary()
    text = f"""# The founding experiment: networks of the retina problem

J.-B. Mouret and J. Clune, "Illuminating search spaces by mapping elites", 2015 (arXiv 1504.04909), first domain, made
again by `scripts/retina_experiment`.

**What was run.** {plan.runs} runs of each of four treatments at {plan.evaluations:,} evaluations, and one run of
MAP-Elites at {plan.long:,}. Networks of 8-8-4-2-1 nodes answer whether there is an object on the left *and* on the
right of eight pixels; the map is connection cost × modularity, 512 × 512 cells; every network that a control evaluated
is binned into the same map. Together {minutes:.0f} minutes of search, {plan.processes} runs at a time, on
{machine["processor"]} ({machine["cores"]} cores); Python {versions["python"]}, numpy {versions["numpy"]}. The long run
took {long.seconds / 60:.0f} minutes.

## Statistics

Median over runs, and quartiles. {found.filled:,} of {found.treatments[0].merged.cells:,} cells were filled by any run.

{_statistics(found)}

![Box plots of the four statistics](pictures/box_plots.png)

![The best network of any run in each cell, for each treatment](pictures/merged_maps.png)

![Best, coverage and QD score over evaluations](pictures/curves.png)

## The paper's claims

Exact two-tailed Mann-Whitney U tests, ties included; *A* is the chance that a run of MAP-Elites has the greater value.

{_claims(found)}

## The long run

{plan.long:,} evaluations: {summary["archive"]["elites"]:,} cells ({summary["archive"]["coverage"]:.1%} of the map),
best accuracy {summary["archive"]["objective_best"]:.4f}, QD score {summary["archive"]["qd_score"]:,.0f}.

![The map of the long run](pictures/long.png)

## Where this deviates from the paper

- {plan.evaluations:,} evaluations a run; the paper's batches and iterations make about 20 million.
- The paper does not say when its map is refined. Here it starts at 16 × 16 and becomes 64, 128, 256 and 512 cells wide
  after 1/16, 1/8, 1/4 and 1/2 of the budget. The maps of the controls are 512 × 512 throughout, as they only record;
  that of MAP-Elites has forgotten what shared a coarse cell with something better: its coverage and reliability
  start anew at each refinement, as the curves show, and the last half of the budget fills the finest map.
- The paper does not give all settings of its controls. Here: populations and batches of 2,000, tournaments of two, the
  first 20,000 networks at random (all of them for random sampling), mutation alone.
- Modularity is found by recursive spectral splitting without refinement; another optimiser finds other values.
- A statistic needs a best run or a best network to be measured against: here the best of these runs.

Once more, from nothing:

    scripts/retina_experiment --runs {plan.runs} --evaluations {plan.evaluations} --long {plan.long}

All numbers: [compare.json](compare.json).
"""
    write_atomically(plan.out / "README.md", text.encode())


def _statistics(found: Comparison) -> str:
    heads = ["treatment", "best accuracy", *(name.replace("_", " ") for name in STATISTICS)]
    rows = []
    for one in found.treatments:
        values = [f"{np.median(one.objectives):.4f}"]
        for name in STATISTICS:
            low, middle, high = np.quantile(one.statistics[name], [0.25, 0.5, 0.75])
            values.append(f"{middle:.3f} ({low:.3f}–{high:.3f})")
        rows.append([NAMES[one.name], *values])
    return _table(heads, rows)


def _claims(found: Comparison) -> str:
    treatments = {one.name: one for one in found.treatments}
    rows = []
    for test in found.tests:
        if test.first == "map_elites":
            higher = test.result.superiority > 0.5
            holds = higher and test.result.p < SIGNIFICANT
            verdict = "holds" if holds else "higher, but not so surely" if higher else "**does not hold**"
            claim = f"MAP-Elites above {NAMES[test.second]} in {test.statistic.replace('_', ' ')}, p < 1e-7"
            rows.append([claim, f"{test.result.p:.1e}", f"{test.result.superiority:.3f}", verdict])
    rows.append(_narrowest(treatments))
    rows.append(_second_in_coverage(treatments))
    return _table(["claim", "p", "*A*", "here"], rows)


def _narrowest(treatments: dict[str, Treatment]) -> list[str]:
    def gap(name: str) -> float:
        medians = {key: float(np.median(one.statistics[name])) for key, one in treatments.items()}
        return medians.pop("map_elites") - max(medians.values())

    gaps = {name: gap(name) for name in STATISTICS}
    leads = min(gaps.values()) > 0  # what is behind has no lead that could be narrow
    verdict = "holds" if leads and min(gaps, key=lambda name: gaps[name]) == "precision" else "**does not hold**"
    listed = ", ".join(f"{name.replace('_', ' ')} {value:+.3f}" for name, value in gaps.items())
    return [f"the lead over the best control is narrowest in precision (medians: {listed})", "", "", verdict]


def _second_in_coverage(treatments: dict[str, Treatment]) -> list[str]:
    medians = {name: float(np.median(one.statistics["coverage"])) for name, one in treatments.items()}
    order = sorted(medians, key=lambda name: -medians[name])
    above = medians["random"] > medians["novelty_local_competition"]
    verdict = "holds" if order[1] == "random" and above else "**does not hold**"
    listed = ", ".join(f"{NAMES[name]} {medians[name]:.3f}" for name in order)
    claim = f"random sampling is second in coverage, above novelty search ({listed})"
    return [claim, "", "", verdict]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
