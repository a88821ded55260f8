"""Rungs against full budgets at equal epochs: four rules of promotion, with random proposals and with MAP-Elites.

Perceptrons on optical digits, 1 to 27 epochs, ten disjoint cells along the logarithm of the parameters: the small
experiment of quality diversity by hyperband (Schneider et al., arXiv 2208.00204), whose published code, with nested
niches, promoted nearly uniformly. Every search spends 60 full trainings (1,620 epochs). The QD score, as a share of ten
perfect elites, is of results of the full budget alone. Eight seeds; ten minutes on one core.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import qd
from qd.analysis.statistics import mann_whitney
from qd.training.device import pin_threads

from .figures import Figure

RUN_FILE = Path(__file__).parents[1] / "runs" / "rungs.yaml"
SEEDS = range(8)
RULES = ("cell", "drawn", "best", "front")
RANDOM = [{"kind": "random"}]
TREATMENTS: dict[str, dict[str, Any]] = {
    "random, in full": {"emitters": RANDOM, "search.rungs": None},
    "MAP-Elites, in full": {"emitters": [{"kind": "map_elites", "initial": 20}], "search.rungs": None},
    **{f"random, promoted by {rule}": {"emitters": RANDOM, "search.rungs.promote": rule} for rule in RULES},
    **{f"MAP-Elites, promoted by {rule}": {"search.rungs.promote": rule} for rule in RULES},
    **{
        f"random, promoted by {rule}, from scratch": {
            "emitters": RANDOM,
            "search.rungs.promote": rule,
            "search.rungs.continue": False,
        }
        for rule in ("cell", "drawn")
    },
}
"""{name: changes of the run file}."""
UNIT = "normalised QD score"


def figures() -> list[Figure]:
    """The QD score of each treatment, how far it is above random search in full, and how sure that is."""
    pin_threads()
    scores = {name: np.array([_search(changes, seed) for seed in SEEDS]) for name, changes in TREATMENTS.items()}
    random = scores["random, in full"]
    found = [Figure(name, values.tolist(), UNIT) for name, values in scores.items()]
    for name, values in scores.items():
        if values is random:
            continue
        p = mann_whitney(values.tolist(), random.tolist()).p
        above = Figure(f"{name}: above random search in full", (values - random).tolist(), UNIT, 0, "higher")
        found += [above, Figure(f"{name}: … exact two-sided p", [p], "(Mann-Whitney)")]
    return found


def _search(changes: dict[str, Any], seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = qd.run(RUN_FILE, out=Path(folder) / "run", **{"search.order": "id", "search.seed": seed, **changes})
        score = run.archive.normalised_qd_score
        run.close()
    return score
