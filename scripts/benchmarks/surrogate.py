"""What a model adds to a search: `guided` against the emitters without one, on a table of graph networks.

NAS-Bench-Graph, Cora: 26,206 architectures, all known, so that the best possible archive is. The searches see the
validation accuracy; of their elites the test accuracy is reported too. QD scores are shares of the best archive's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import qd
from evaluators.data.nas_bench_graph import Entry
from evaluators.nas_bench_graph import NASBenchGraphTable
from qd.archives import Archive
from qd.store.run import Run
from search_spaces.nas_bench_graph import NASBenchGraph

from .figures import Figure

RUN_FILE = Path(__file__).parents[1] / "runs" / "nas_bench_graph.yaml"
BUDGETS = (100, 200, 500, 1000)
SEEDS = range(20)
CHUNK = 10
EMITTERS: dict[str, dict[str, Any]] = {
    "guided": {"kind": "guided"},
    "map_elites": {"kind": "map_elites"},
    "regularised_evolution": {"kind": "regularised_evolution"},
    "random": {"kind": "random"},
}
Scores = np.ndarray
"""(seeds, budgets, 2): shares of the best archive's QD score, by validation and by test accuracy."""


def figures() -> list[Figure]:
    """QD scores of each emitter at each budget, and how often and by how much guided is above plain MAP-Elites."""
    evaluator = NASBenchGraphTable()
    table = evaluator.table
    shares = {name: np.array([_shares(emitter, seed, table) for seed in SEEDS]) for name, emitter in EMITTERS.items()}
    found = []
    for index, budget in enumerate(BUDGETS):
        above = shares["guided"][:, index, 0] - shares["map_elites"][:, index, 0]
        name = f"guided above map_elites by, at {budget} evaluations"
        found.append(Figure(name, above.tolist(), "of the best QD score", target=0, better="higher"))
    for split, label in enumerate(("validation", "test")):
        for name, scores in shares.items():
            for index, budget in enumerate(BUDGETS):
                label_ = f"{name}, {label}, {budget} evaluations"
                found.append(Figure(label_, scores[:, index, split].tolist(), "of the best QD score"))
    return found
