"""The retina problem: is there an object on the left and an object on the right?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from qd.candidates import Candidates, Results
from qd.metrics.modularity_above_chance import modularities_above_chance
from qd.metrics.topology_cache import hash_keys, topology_keys
from search_spaces import Metric, SearchSpace, Task
from search_spaces.retina.genotype import CONNECTIONS, INPUTS, NODES
from search_spaces.task import Values, Vector

from ..base import Evaluator
from .kernel import LEFT_OBJECTS, PATTERNS, RIGHT_OBJECTS, measures, new_cache, one_sided_neurons, scores, topologies

if TYPE_CHECKING:
    from ..task_data import Examples, TaskData


def patterns() -> Examples:
    """All patterns: (256, 8) pixels, -1 or 1, and (256, 1) answers, 1 where an object is on both sides, else -1."""
    from ..task_data import Examples

    numbers = np.arange(PATTERNS)
    pixels = np.where(numbers[:, None] >> np.arange(INPUTS) & 1, 1, -1).astype(np.float32)
    both = np.isin(numbers & 15, LEFT_OBJECTS) & np.isin(numbers >> 4, RIGHT_OBJECTS)
    return Examples(pixels, np.where(both, 1, -1).astype(np.float32)[:, None])


def _accuracy(outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    return {"accuracy": float(((outputs > 0) == (targets > 0)).mean())}


class Retina(Evaluator):
    """Scores networks on all 256 patterns, and measures what they are like (Mouret & Clune 2015, arXiv 1504.04909).

    `accuracy` is the fraction of patterns that are answered right; a network that always says no has 0.75.
    `connection_cost` and `modularity` are those of the network without its dead ends. Nothing in it is random.

    Args:
        chance_samples: random networks of equal degrees that `modularity_above_chance` is measured against; 0 leaves
            that metric out, as it takes ten times as long as all others together.
        remembered: topologies whose measures are not worked out again, at most; 0 for none.
    """

    task = Task(Vector(INPUTS), Values(1))

    def __init__(
        self,
        chance_samples: Annotated[int, Field(ge=0)] = 0,
        remembered: Annotated[int, Field(ge=0)] = 2**20,
    ) -> None:
        self.chance_samples = chance_samples
        self.cache = new_cache(remembered) if remembered else None
        self.metrics = {
            "accuracy": Metric("", 0, 1),
            "connection_cost": Metric("", 0, 360, "minimise"),
            "modularity": Metric("", -0.5, 1),
            "one_sided_neurons": Metric("", 0, NODES - INPUTS - 1),
        }
        if chance_samples:
            self.metrics["modularity_above_chance"] = Metric("", -1.5, 1.5)

    def bind(self, space: SearchSpace) -> None:
        from search_spaces.retina import Connections

        if not isinstance(space.genes, Connections):
            raise ValueError(f"retina scores networks of space: {{kind: retina}}, got genes {space.genes!r}")
        super().bind(space)

    def task_data(self) -> TaskData:
        from ..task_data import TaskData  # it needs torch, which takes a second to import

        return TaskData("all 256 patterns of the retina problem", lambda part: patterns(), _accuracy)

    def evaluate(self, candidates: Candidates) -> Results:
        started = time.perf_counter()
        genotypes = np.asarray(candidates.genotypes, dtype=np.int8)
        present = topologies(genotypes)
        cost, modularity = measures(present, self.cache)
        metrics = {
            "accuracy": scores(genotypes),
            "connection_cost": cost,
            "modularity": modularity,
            "one_sided_neurons": one_sided_neurons(genotypes, present),
        }
        if self.chance_samples:
            seeds = hash_keys(topology_keys(present))  # a function of the topology, so that nothing is random
            metrics["modularity_above_chance"] = modularities_above_chance(
                CONNECTIONS, present, NODES, seeds, self.chance_samples
            )
        seconds = (time.perf_counter() - started) / len(candidates)
        return Results.ok(candidates, metrics, seconds)
