"""What a model adds to a search: `guided` against emitters without one, on a table of graph networks.

NAS-Bench-Graph, Cora: 26,206 architectures, all known, and so is the best possible archive. The searches see the
validation accuracy; the same elites are scored by their test accuracy as well. QD scores are shares of those of the
best archive by validation accuracy. One search of 1,000 evaluations gives the figures of all budgets: no emitter knows
the budget. Twenty seeds; about ten minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

import qd
from evaluators.data.nas_bench_graph import Entry
from evaluators.nas_bench_graph import NASBenchGraphTable
from qd.analysis.calibration import calibration
from qd.analysis.statistics import mann_whitney
from qd.archives import Archive
from qd.config import load
from qd.runs import problem
from search_spaces.nas_bench_graph import NASBenchGraph

from .figures import Figure

RUN_FILE = Path(__file__).parents[1] / "runs" / "nas_bench_graph.yaml"
EMITTERS = ("guided", "map_elites", "regularised_evolution", "random")
BUDGETS = (100, 200, 500, 1000)
SEEDS = range(20)
CHUNK = 10


class Scores(NamedTuple):
    """Of one search."""

    shares: np.ndarray
    """(budgets, 2): of the best archive's QD score, by validation and by test accuracy."""
    calibration: dict[str, tuple[float, float]]
    """{metric: (rank correlation, coverage of the 90% interval)} of what was predicted, where there is a model."""


def figures() -> list[Figure]:
    """How far guided is above plain MAP-Elites at each budget; the QD scores of all; and how good predictions were."""
    table = NASBenchGraphTable().table
    best = _best_archive(table)
    scores = {name: [_search(name, seed, table, best) for seed in SEEDS] for name in EMITTERS}
    shares = {name: np.array([one.shares for one in found]) for name, found in scores.items()}
    unit = "of the best QD score"
    found = []
    for index, budget in enumerate(BUDGETS):
        above = shares["guided"][:, index, 0] - shares["map_elites"][:, index, 0]
        name = f"guided above map_elites, {budget} evaluations, same seeds"
        found.append(Figure(name, above.tolist(), unit, target=0, better="higher"))
        p = mann_whitney(shares["guided"][:, index, 0].tolist(), shares["map_elites"][:, index, 0].tolist()).p
        found.append(Figure(f"… its exact two-sided p, {budget} evaluations", [p], "(Mann-Whitney)", target=0.01))
    for split, name in enumerate(("validation", "test")):
        for emitter, of_seeds in shares.items():
            for index, budget in enumerate(BUDGETS):
                label = f"{emitter}, {name} accuracy, {budget} evaluations"
                found.append(Figure(label, of_seeds[:, index, split].tolist(), unit))
    for metric in scores["guided"][0].calibration:
        pairs = [one.calibration[metric] for one in scores["guided"]]
        found.append(Figure(f"predicted {metric}: rank correlation", [pair[0] for pair in pairs], "of 1"))
        found.append(Figure(f"predicted {metric}: within the 90% interval", [pair[1] for pair in pairs], "of 1"))
    return found


def _best_archive(table: Mapping[str, Entry]) -> Archive:
    """Of all architectures; candidates are numbered as the table has them."""
    archive = problem.prepare(load(RUN_FILE), str(RUN_FILE), None).archive
    entries, ids = np.array(list(table.values())), np.arange(len(table))
    metrics = {"val_accuracy": entries[:, 0], "latency": entries[:, 2] * 1e3, "parameters": entries[:, 3]}
    archive.add(ids, ids, metrics, [None] * len(ids))
    return archive


def _search(emitter: str, seed: int, table: Mapping[str, Entry], best: Archive) -> Scores:
    entries, space = list(table.values()), NASBenchGraph()
    best_test = _test_score(best, (entries[candidate] for candidate in best.elites.candidates))
    shares = []
    changes = {
        "emitters": [{"kind": emitter}],
        "search": {"seed": seed, "chunk": CHUNK, "window": CHUNK},
        "budget": {"evaluations": BUDGETS[-1]},
    }
    with tempfile.TemporaryDirectory() as folder:
        run = qd.run(RUN_FILE, out=Path(folder) / "run", **changes)
        archive, tell = run.empty_archive(), 0
        for budget in BUDGETS:
            run.replay(archive, tell, budget // CHUNK)
            tell = budget // CHUNK
            genotypes = run.genotypes(archive.elites.candidates.tolist())
            test = _test_score(archive, (table[space.key(genotype)] for genotype in genotypes.values()))
            shares.append((archive.qd_score / best.qd_score, test / best_test))
        calibrated = {one.metric: (one.rank_correlation, one.coverage_90) for one in calibration(run)}
        run.close()
    return Scores(np.array(shares), calibrated)


def _test_score(archive: Archive, elites: Iterable[Entry]) -> float:
    """The QD score of elites by their test accuracy, in the cells that they have by validation accuracy."""
    return sum(entry.test_accuracy - archive.objective.worst for entry in elites)
