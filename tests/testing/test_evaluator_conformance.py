"""The built-in evaluators keep the contract, and the suite notices evaluators that do not."""

import inspect
import itertools

import numpy as np
import pytest

from evaluators import Evaluator, Metric, SingleEvaluator
from evaluators.data import Split
from evaluators.data.digits import Digits
from evaluators.supervised import Supervised
from qd.candidates import Curve, Results
from qd.testing import EvaluatorConformance
from qd.training import TrainingOptions
from search_spaces import Integer, Invalid, SearchSpace, Struct
from search_spaces.sparse_moe import SparseMoE


class TestSupervised(EvaluatorConformance):
    tolerance = 1e-3  # stacks of other sizes round otherwise

    @pytest.fixture
    def space(self) -> SparseMoE:
        return SparseMoE()

    @pytest.fixture
    def evaluator(self) -> Supervised:
        return Supervised(Digits(Split(train=200)), TrainingOptions(epochs=1, curve=True))


class Numbers(SearchSpace):
    genes = Struct(x=Integer(0, 99))


class Table(SingleEvaluator):
    metrics = {"score": Metric("", 0, 100), "draw": Metric("", 0, 1)}

    def evaluate_one(self, genotype, seed):
        if genotype["x"] == 100:
            raise Invalid("x is 100")
        return {"score": genotype["x"], "draw": seed / 2**53}


class TestTable(EvaluatorConformance):
    @pytest.fixture
    def space(self) -> Numbers:
        return Numbers()

    @pytest.fixture
    def evaluator(self) -> Table:
        return Table()

    @pytest.fixture
    def invalid_genotype(self) -> dict:
        return {"x": 100}


class Nameless(Table):
    metrics = {"Score": Metric()}


class OutOfRange(Table):
    metrics = {"score": Metric("", -2, -1), "draw": Metric("", 0, 1)}


class Undeclared(Table):
    def evaluate_one(self, genotype, seed):
        return {**super().evaluate_one(genotype, seed), "depth": 1}


class Forgetful(Table):
    def evaluate(self, candidates):
        return super().evaluate(candidates).take([0])


class DrawsGlobally(Table):
    def evaluate_one(self, genotype, seed):
        return {"score": genotype["x"], "draw": np.random.random()}


class Counts(Table):
    calls = itertools.count()

    def evaluate_one(self, genotype, seed):
        return {"score": next(self.calls) % 100, "draw": 0.5}


class RanksTheBatch(Table):
    def evaluate(self, candidates):
        size = len(candidates)
        return Results.ok(candidates, {"score": np.arange(size), "draw": np.zeros(size)})


class LearnsFromTheBatch(Table):
    def evaluate(self, candidates):
        results = super().evaluate(candidates)
        scores = {"score": np.array([float(len(candidates))])}
        results.curves = {id: Curve(np.array([1.0]), scores) for id in results.evaluation_ids.tolist()}
        return results


class TakesAll(Table):
    def evaluate_one(self, genotype, seed):
        return {"score": min(99, genotype["x"]), "draw": 0.5}


@pytest.mark.parametrize(
    ("evaluator", "test", "message"),
    [
        (Nameless, "metrics_may_be_columns_of_the_log", "'Score' does not match"),
        (OutOfRange, "reports_all_metrics_in_range", "score is"),
        (Undeclared, "reports_all_metrics_in_range", "not declared: \\['depth'\\]"),
        (Forgetful, "answers_every_candidate_of_a_batch", "assert"),
        (DrawsGlobally, "equal_seeds_give_equal_metrics", "metric draw"),
        (Counts, "equal_seeds_give_equal_metrics", "metric score"),
        (RanksTheBatch, "rows_do_not_depend_on_their_batch_mates", "metric score"),
        (LearnsFromTheBatch, "rows_do_not_depend_on_their_batch_mates", "learning curve of score"),
        (TakesAll, "impossible_genotype_is_invalid", "Status.OK"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_evaluator_is_noticed(evaluator: type[Evaluator], test: str, message: str) -> None:
    suite, bound = EvaluatorConformance(), evaluator()
    bound.bind(Numbers())
    given = {"bound": bound, "genotypes": [{"x": 3}, {"x": 50}, {"x": 70}], "invalid_genotype": {"x": 100}}
    method = getattr(suite, f"test_{test}")
    with pytest.raises(AssertionError, match=message):
        method(**{name: given[name] for name in inspect.signature(method).parameters})
