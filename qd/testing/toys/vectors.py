"""A space of vectors and one of trees of six genes, and an evaluator that sums them, a batch in one go."""

import numpy as np

from evaluators import Evaluator, Metric
from qd.candidates import Candidates, Results, Status
from search_spaces import Integer, SearchSpace, Struct, Vector


class Vectors(SearchSpace):
    """Six numbers in a row."""

    genes = Vector(0, 100, 6, "int16")


class Trees(SearchSpace):
    """Six numbers that have names."""

    genes = Struct(**{name: Integer(0, 100) for name in "abcdef"})


class Sums(Evaluator):
    """Sums of genes; a share of the evaluations fails, by their seeds."""

    metrics = {
        "score": Metric("points", 0, 200),
        "x": Metric("", 0, 100),
        "y": Metric("", 0, 100),
        "most": Metric("", 0, 100, "minimise"),
    }

    def __init__(self, failing: float = 0.0) -> None:
        self.failing = failing

    def evaluate(self, candidates: Candidates) -> Results:
        genotypes = candidates.genotypes
        rows = genotypes if isinstance(genotypes, np.ndarray) else np.array([list(one.values()) for one in genotypes])
        rows = rows.astype(np.float64)
        metrics = {"score": rows[:, 2] + rows[:, 3], "x": rows[:, 0], "y": rows[:, 1], "most": rows.max(axis=1)}
        results = Results.ok(candidates, metrics)
        bad = candidates.seeds / 2**53 < self.failing
        results.status[bad] = Status.FAILED
        results.errors = {int(id): "no luck" for id in results.evaluation_ids[bad]}
        results.metrics = {name: np.where(bad, np.nan, column) for name, column in metrics.items()}
        return results
