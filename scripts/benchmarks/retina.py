"""The retina problem on one thread, in evaluations per second of processor time.

Scoring alone; scoring with both measures, on the stream of proposals of a MAP-Elites run from a cold, bounded cache,
and on random networks without cache; and the whole search, with its archive and its log.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

import qd
from evaluators.retina import kernel
from qd.config import load
from qd.runs import problem
from qd.search.loop import Loop
from search_spaces.retina.genotype import initialise

from .figures import Figure

RUN_FILE = Path(__file__).parents[1] / "runs" / "retina_map_elites.yaml"
EVALUATIONS = 600_000
BATCH = 2000
SEGMENTS = 5
REFINE = [
    {"evaluations": EVALUATIONS // share, "bins": bins} for share, bins in ((16, 64), (8, 128), (4, 256), (2, 512))
]


def figures() -> list[Figure]:
    """Rates, and the share of topologies that the cache knew."""
    search = _search()
    stream = np.concatenate(list(_stream()))
    random = initialise(40_000, np.random.default_rng(0))
    cache = kernel.new_cache()
    scoring = _rates(stream, kernel.scores)
    cached = _rates(stream, lambda rows: (kernel.scores(rows), kernel.measures(kernel.topologies(rows), cache)))
    uncached = _rates(random, lambda rows: (kernel.scores(rows), kernel.measures(kernel.topologies(rows))))
    unit = "evaluations/s"
    return [
        Figure("scoring alone", scoring, unit, target=500_000, better="higher"),
        Figure("scoring and both measures, on the stream of a search", cached, unit, target=50_000, better="higher"),
        Figure("share of its topologies that the cold cache knew", [cache.hits / cache.lookups], "of 1"),
        Figure("the same on random networks, without cache", uncached, unit, target=15_000, better="higher"),
        Figure("the whole search, with archive and log", search, unit, target=30_000, better="higher"),
    ]


def _rates(genotypes: np.ndarray, work: Callable[[np.ndarray], object]) -> list[float]:
    """Rows a second, batch after batch, for each of several equal parts; what is compiled is compiled by now."""
    rates = []
    for part in np.array_split(genotypes, SEGMENTS):
        started = time.process_time()
        for first in range(0, len(part), BATCH):
            work(part[first : first + BATCH])
        rates.append(len(part) / (time.process_time() - started))
    return rates


def _search() -> list[float]:
    marks: list[tuple[int, float]] = []

    def note(search: Loop) -> None:
        if search.evaluations >= EVALUATIONS // SEGMENTS * len(marks):
            marks.append((search.evaluations, time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        changes = {"archive.refine": REFINE, "budget.evaluations": EVALUATIONS}
        qd.run(RUN_FILE, out=Path(folder) / "run", progress=note, **changes).close()
    return [(last - first) / (end - start) for (first, start), (last, end) in pairwise(marks)]


def _stream() -> Iterator[np.ndarray]:
    """What such a search proposes, batch by batch."""
    parts = problem.prepare(load(RUN_FILE, {"archive.refine": REFINE}), str(RUN_FILE), None)
    emitter, archive, rng = parts.emitters[0].emitter, parts.archive, np.random.default_rng(0)
    for first in range(0, EVALUATIONS, BATCH):
        genotypes = np.asarray(emitter.ask(BATCH, archive, rng).genotypes)
        cost, modularity = kernel.measures(kernel.topologies(genotypes))
        metrics = {"accuracy": kernel.scores(genotypes), "connection_cost": cost, "modularity": modularity}
        ids = np.arange(first, first + BATCH)
        archive.add(ids, ids, metrics, genotypes)
        archive.refine_if_due(first + BATCH)
        yield genotypes
