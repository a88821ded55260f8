"""Looks graph networks up in the tables of NAS-Bench-Graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from qd.candidates import Candidates, Purpose, Results, Status
from search_spaces import Genotype, Invalid, Metric, SearchSpace
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
    ) -> None:
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

    def evaluate(self, candidates: Candidates) -> Results:
        return Results.join(self._row(candidates.take([row])) for row in range(len(candidates)))

    def _row(self, candidate: Candidates) -> Results:
        try:
            entry = self._look_up(candidate.genotypes[0])
        except Invalid as error:
            return Results.without_metrics(candidate, Status.INVALID, str(error))
        tested = candidate.purpose is Purpose.VERIFICATION
        accuracy = entry.test_accuracy if tested else entry.val_accuracy
        columns = {"val_accuracy": accuracy, "parameters": entry.parameters, "latency": entry.latency * 1e3}
        return Results.ok(candidate, columns)

    def _look_up(self, genotype: Genotype) -> Entry:
        entry = self.table.get(self.space.key(genotype))
        if entry is None:
            raise Invalid(f"the table has no architecture of {self.space.genes.readable(genotype)}")
        return entry
