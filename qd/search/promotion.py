"""Who goes up a rung: four rules of choosing among the results of one fidelity.

Each takes the columns of P results that were not promoted, and returns the rows to promote, the first choice first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rung:
    """Results of one fidelity, of candidates that may be promoted.

    Args:
        values: (P,) the objective, more is better.
        cells: (P,) int64, where they lie in the archive.
        features: (P, M) measures, more is better.
        promoted: {cell: how many were promoted out of it}.
    """

    values: np.ndarray
    cells: np.ndarray
    features: np.ndarray
    promoted: Mapping[int, int]


def by_cell(rung: Rung, places: int, rng: np.random.Generator) -> list[int]:
    """Round robin over cells: always the best of the cell that the fewest were promoted from.

    Of cells that are alike in this, the one with the better candidate comes first.
    """
    queues = _best_first(rung)
    promoted = Counter(rung.promoted)
    chosen: list[int] = []
    while queues and len(chosen) < places:
        cell = min(queues, key=lambda one: (promoted[one], -rung.values[queues[one][-1]], queues[one][-1]))
        promoted[cell] += 1
        chosen.append(_next_of(queues, cell))
    return chosen


def by_drawn_cell(rung: Rung, places: int, rng: np.random.Generator) -> list[int]:
    """For each place a cell is drawn, which gives its best; where it has none left, a result is drawn from the rest.

    Of quality diversity by hyperband (qdHB in Schneider et al., arXiv 2208.00204), which draws niches uniformly with
    replacement and fills all holes at the end. Deviation: cells are drawn among those that had a result on this rung,
    and a hole is filled at once.
    """
    queues = _best_first(rung)
    cells = sorted({*queues, *rung.promoted})
    chosen: list[int] = []
    while queues and len(chosen) < places:
        cell = cells[int(rng.integers(len(cells)))]
        if cell in queues:
            chosen.append(_next_of(queues, cell))
            continue
        rest = sorted(row for queue in queues.values() for row in queue)
        row = rest[int(rng.integers(len(rest)))]
        cell = int(rung.cells[row])
        queues[cell].remove(row)
        if not queues[cell]:
            del queues[cell]
        chosen.append(row)
    return chosen


def by_value(rung: Rung, places: int, rng: np.random.Generator) -> list[int]:
    """The best, wherever they lie: successive halving as in ASHA (Li et al., arXiv 1810.05934)."""
    return np.lexsort((np.arange(len(rung.values)), -rung.values))[:places].tolist()


def by_front(rung: Rung, places: int, rng: np.random.Generator) -> list[int]:
    """By non-dominated sorting of objective and measures, each in its metric's better direction (moHB*, as above)."""
    from ..emitters.baselines.pareto import pareto_order

    return pareto_order(np.column_stack([rung.values, rung.features]))[:places].tolist()


RULES: dict[str, Callable[[Rung, int, np.random.Generator], list[int]]] = {
    "cell": by_cell,
    "drawn": by_drawn_cell,
    "best": by_value,
    "front": by_front,
}
"""{what `search.rungs.promote` says: the rule}."""
NEEDS_CELLS = ("cell", "drawn")


def _best_first(rung: Rung) -> dict[int, list[int]]:
    """{cell: its rows, the best at the end}; of equals, the earlier row is nearer to the end."""
    queues: dict[int, list[int]] = {}
    for row in np.lexsort((-np.arange(len(rung.values)), rung.values)).tolist():
        queues.setdefault(int(rung.cells[row]), []).append(row)
    return queues


def _next_of(queues: dict[int, list[int]], cell: int) -> int:
    row = queues[cell].pop()
    if not queues[cell]:
        del queues[cell]
    return row
