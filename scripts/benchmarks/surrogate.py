"""What models add to a search: `guided` against plain MAP-Elites, on a table of graph networks.

NAS-Bench-Graph, Cora: 26,206 architectures, all known, and so is the best possible archive, by validation accuracy,
which the searches see. QD scores are shares of its score; the same elites are scored by test accuracy as well. An
archive of 100 evaluations fills 100 of the 253 cells at most, so no search can reach more than the share that stands
beside. One search of 500 evaluations gives the figures of all budgets: no emitter knows the budget. `guided` searches
where nothing, the parameters, or parameters and latency are known before an evaluation. Twenty seeds; some minutes.

Last, the time that `guided` takes for a proposal when it has 1,000 observations, in this process, on one thread.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import qd
from evaluators.data.nas_bench_graph import Entry
from evaluators.nas_bench_graph import NASBenchGraphTable
from qd.analysis.calibration import calibration
from qd.analysis.statistics import mann_whitney
from qd.archives import Archive
from qd.config import load
from qd.emitters import Told
from qd.runs import problem
from search_spaces.nas_bench_graph import NASBenchGraph

from .figures import Figure

RUN_FILE = Path(__file__).parents[1] / "runs" / "nas_bench_graph.yaml"
MEASURES = ("latency", "parameters")
BUDGETS = (100, 200, 500)
SEEDS = range(20)
CHUNK = 10
OBSERVATIONS = 1000


class Case(NamedTuple):
    """A way of searching, and the shares that are to be reached at each budget."""

    name: str
    emitter: str
    known: tuple[str, ...]
    targets: tuple[float | None, ...] = (None,) * len(BUDGETS)


CASES = (
    Case("map_elites", "map_elites", ()),
    Case("guided, nothing known", "guided", (), (0.33, 0.60, 0.90)),
    Case("guided, parameters known", "guided", ("parameters",), (0.37, 0.70, 0.95)),
    Case("guided, parameters and latency known", "guided", MEASURES, (0.385, 0.76, 0.99)),
)


class Scores(NamedTuple):
    """Of one search."""

    shares: np.ndarray
    """(budgets, 2): of the best archive's QD score, by validation and by test accuracy."""
    calibration: dict[str, tuple[float, float]]
    """{metric: (rank correlation, coverage of the 90% interval)} of what was predicted, where there is a model."""


def figures() -> list[Figure]:
    """What each case reaches at each budget, how good predictions were, and how long a proposal takes."""
    table = NASBenchGraphTable().table
    best = _best_archive(table)
    scores = {case.name: [_search(case, seed, table, best) for seed in SEEDS] for case in CASES}
    shares = {name: np.array([one.shares for one in found]) for name, found in scores.items()}
    unit = "of the best QD score"
    found = []
    ranked = np.sort(best.elites.objectives - best.objective.worst)[::-1]
    for index, budget in enumerate(BUDGETS):
        most = float(ranked[:budget].sum() / best.qd_score)
        found.append(Figure(f"no search can reach more, {budget} evaluations", [most], unit))
        for case in CASES:
            label = f"{case.name}, {budget} evaluations"
            found.append(Figure(label, shares[case.name][:, index, 0].tolist(), unit, case.targets[index], "higher"))
        for case in CASES[1:]:
            pair = (shares[name][:, index, 0].tolist() for name in (case.name, CASES[0].name))
            name = f"{case.name}, above map_elites: exact two-sided p, {budget} evaluations"
            found.append(Figure(name, [mann_whitney(*pair).p], "(Mann-Whitney)", target=0.01))
    for case, (index, budget) in itertools.product(CASES, enumerate(BUDGETS)):
        label = f"{case.name}, test accuracy, {budget} evaluations"
        found.append(Figure(label, shares[case.name][:, index, 1].tolist(), unit))
    for case in CASES:
        for metric in scores[case.name][0].calibration:
            pairs = [one.calibration[metric] for one in scores[case.name]]
            label = f"{case.name}, predicted {metric}"
            found.append(Figure(f"{label}: rank correlation", [pair[0] for pair in pairs], "of 1"))
            found.append(Figure(f"{label}: within the 90% interval", [pair[1] for pair in pairs], "of 1"))
    for case in CASES[1:]:
        label = f"{case.name}: time of a proposal at {OBSERVATIONS:,} observations"
        found.append(Figure(label, _milliseconds(case, table), "CPU-ms", target=5))
    return found


def _changes(case: Case, seed: int) -> dict[str, Any]:
    return {
        "evaluator": {"kind": "nas_bench_graph", "data": "cora", "known": list(case.known)},
        "emitters": [{"kind": case.emitter}],
        "search": {"seed": seed, "chunk": CHUNK, "window": CHUNK},
        "budget": {"evaluations": BUDGETS[-1]},
    }


def _best_archive(table: Mapping[str, Entry]) -> Archive:
    """Of all architectures; candidates are numbered as the table has them."""
    archive = problem.prepare(load(RUN_FILE), str(RUN_FILE), None).archive
    entries, ids = np.array(list(table.values())), np.arange(len(table))
    metrics = {"val_accuracy": entries[:, 0], "latency": entries[:, 2] * 1e3, "parameters": entries[:, 3]}
    archive.add(ids, ids, metrics, [None] * len(ids))
    return archive


def _search(case: Case, seed: int, table: Mapping[str, Entry], best: Archive) -> Scores:
    entries, space = list(table.values()), NASBenchGraph()
    best_test = _test_score(best, (entries[candidate] for candidate in best.elites.candidates))
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        run = qd.run(RUN_FILE, out=Path(folder) / "run", **_changes(case, seed))
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


def _milliseconds(case: Case, table: Mapping[str, Entry]) -> list[float]:
    """CPU time of a proposal: mean of ten asks, one of which fits the models."""
    parts = problem.prepare(load(RUN_FILE, _changes(case, 0)), str(RUN_FILE), None)
    emitter, archive, rng = parts.emitters[0].emitter, parts.archive, np.random.default_rng(0)
    from sklearn.ensemble import RandomForestRegressor  # noqa: F401 - loading it is not measured

    space, count, seconds = parts.space, 0, []
    proposed: Any = space.genes.sample_many(OBSERVATIONS, rng)
    while len(seconds) < 10:
        kept = [one for one in proposed if space.key(one) in table]
        entries = np.array([table[space.key(one)] for one in kept])
        metrics = {"val_accuracy": entries[:, 0], "latency": entries[:, 2] * 1e3, "parameters": entries[:, 3]}
        ids = np.arange(count + 1, count + len(kept) + 1)
        archive.add(ids, ids, metrics, kept)
        emitter.tell(Told(ids, kept, metrics, metrics["val_accuracy"]), archive, rng)
        if not count:
            emitter.restore({"proposed": len(kept), "fitted": 0, "pending": []})
        count += len(kept)
        started = time.process_time()
        proposed = emitter.ask(CHUNK, archive, rng).genotypes
        seconds.append(time.process_time() - started)
    return [1e3 * float(np.mean(seconds)) / CHUNK]
