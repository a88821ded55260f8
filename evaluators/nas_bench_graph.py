"""Looks graph networks up in the tables of NAS-Bench-Graph."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from qd.candidates import Candidates, Purpose, Results, Status
from search_spaces import Genotype, Genotypes, Invalid, Metric, SearchSpace
from search_spaces.nas_bench_graph import NASBenchGraph

from .base import Evaluator
from .data.nas_bench_graph import Entry, find, read_table


class NASBenchGraphTable(Evaluator):
    """What architectures reach when they are trained, from the table of one data set (Qin et al. 2022, 2206.09166).

    A search gets the validation accuracy; in a verification, `val_accuracy` is the accuracy on the test split, as it is
    with every evaluator. Table entries are means over three trainings, and the seeds of candidates do nothing.

    Args:
        data: the data set.
        folder: that holds the tables; None: the cache folder, then the installed package.
        known: the measures that count as known before an evaluation: of real networks the number of parameters is, and
            latency can be measured untrained.
    """

    metrics = {
        "val_accuracy": Metric("", 0, 1, "maximise"),
        "parameters": Metric("", 0, math.inf, "minimise"),
        "latency": Metric("ms", 0, math.inf, "minimise"),
    }

    def __init__(
        self,
        data: Literal["arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "pubmed"] = "cora",
        folder: Path | str | None = None,
        known: tuple[Literal["parameters", "latency"], ...] = ("parameters",),
    ) -> None:
        self._known_before = known
        self._data = data
        self._file = find(data, folder)  # here, so that a missing file is told at the door

    def bind(self, space: SearchSpace) -> None:
        if not isinstance(space, NASBenchGraph):
            raise ValueError(f"the table is of the space nas_bench_graph, and not of {type(space).__name__}")
        super().bind(space)

    @cached_property
    def table(self) -> Mapping[str, Entry]:
        """{key of an architecture: what is known of it}."""
        return read_table(self._file, self._data)

    def known(self, genotypes: Genotypes, names: Collection[str]) -> dict[str, np.ndarray]:
        entries = [self.table.get(self.space.key(genotype)) for genotype in self.space.genes.trees(genotypes)]
        rows = [_measures(entry) if entry else {} for entry in entries]
        wanted = [name for name in self._known_before if name in names]
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in wanted}

    def evaluate(self, candidates: Candidates) -> Results:
        return Results.join(self._row(candidates.take([row])) for row in range(len(candidates)))

    def _row(self, candidate: Candidates) -> Results:
        try:
            entry = self._look_up(candidate.genotypes[0])
        except Invalid as error:
            return Results.without_metrics(candidate, Status.INVALID, str(error))
        tested = candidate.purpose is Purpose.VERIFICATION
        accuracy = entry.test_accuracy if tested else entry.val_accuracy
        return Results.ok(candidate, {"val_accuracy": accuracy, **_measures(entry)})

    def _look_up(self, genotype: Genotype) -> Entry:
        entry = self.table.get(self.space.key(genotype))
        if entry is None:
            raise Invalid(f"the table has no architecture of {self.space.genes.readable(genotype)}")
        return entry


def _measures(entry: Entry) -> dict[str, float]:
    return {"parameters": entry.parameters, "latency": entry.latency * 1e3}
