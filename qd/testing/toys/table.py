"""A space of three genes, and evaluators that look numbers up."""

import time
from collections.abc import Collection
from typing import Any

import networkx
import numpy as np

from evaluators import Metric, SingleEvaluator
from qd.candidates import Candidates, Curve, Results, Status
from search_spaces import Choice, Genotypes, Integer, Invalid, SearchSpace, Struct


class Space(SearchSpace):
    """A place on a square, and a colour."""

    def __init__(self, side: int = 30) -> None:
        self.genes = Struct(x=Integer(0, side - 1), y=Integer(0, side - 1), colour=Choice("red", "blue"))

    def module_graph(self, genotype: Any) -> networkx.DiGraph:
        graph = networkx.DiGraph()
        graph.add_node("x", label="x", kind=genotype["colour"], size=genotype["x"], layer=0)
        return graph


class Table(SingleEvaluator):
    """Looks up a number, and fails or takes its time where the run file says so."""

    metrics = {
        "score": Metric("points", 0, 2),
        "width": Metric("units", 0, 30),
        "height": Metric("m", 0, 30),
        "order": Metric("", 0, 60, "minimise"),
    }

    def __init__(self, failing: float = 0.0, milliseconds: float = 0.0) -> None:
        self.failing, self.milliseconds = failing, milliseconds

    def evaluate_one(self, genotype: Any, seed: int) -> dict[str, float]:
        time.sleep(self.milliseconds / 1000)
        luck = seed / 2**53
        x, y = genotype["x"], genotype["y"]
        if luck < self.failing:
            raise RuntimeError("no luck today")
        if x == y:
            raise Invalid(f"{x} and {y} are equal")
        return {"score": luck + (genotype["colour"] == "red"), "width": x, "height": y, "order": x + y}


class Knowing(Table):
    """Knows the width before an evaluation, and the height of what is red."""

    def known(self, genotypes: Genotypes, names: Collection[str]) -> dict[str, np.ndarray]:
        columns = {
            "width": np.array([one["x"] for one in genotypes], dtype=np.float64),
            "height": np.array([one["y"] if one["colour"] == "red" else np.nan for one in genotypes]),
        }
        return {name: column for name, column in columns.items() if name in names}


class Trained(Table):
    """Gives weights as well, three times the evaluation's id, and learning curves.

    In every epoch the score comes half as near to its end as it was.
    """

    def evaluate(self, candidates: Candidates) -> Results:
        results = super().evaluate(candidates)
        results.weights = {id: {"w": np.full(3, id, dtype=np.float32)} for id in results.evaluation_ids.tolist()}
        epochs = np.arange(1.0, 6.0)
        for row in np.flatnonzero(results.status == Status.OK).tolist():
            score = results.metrics["score"][row]
            results.curves[int(results.evaluation_ids[row])] = Curve(epochs, {"score": score * (1 - 0.5**epochs)})
        return results


class Growing(Table):
    """Shows what a red candidate is worth the more it is trained; goes on from weights, which count the trainings."""

    metrics = {**Table.metrics, "trained": Metric("trainings", 0)}
    has_fidelity = continues = True

    def evaluate(self, candidates: Candidates) -> Results:
        results = super().evaluate(candidates)
        rows = {id: row for row, id in enumerate(results.evaluation_ids.tolist())}
        trained, luck = np.full(len(results), candidates.fidelity), candidates.seeds / 2**53
        for id, start in candidates.starts.items():
            trained[rows[id]] += float(start.weights["trained"][0]) - start.spent
        results.metrics["score"] = luck + candidates.fidelity * (results.metrics["score"] - luck)
        results.metrics["trained"] = np.where(np.isnan(results.metrics["score"]), np.nan, trained)
        results.weights = {id: {"trained": trained[[row]]} for id, row in rows.items() if results.status[row] == 0}
        return results
