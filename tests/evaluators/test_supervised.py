from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from evaluators.data import DataSet, Examples, Split, Splits
from evaluators.data.digits import Digits
from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.preprocessing import Preprocessing, Scaling, Standardise
from evaluators.supervised import Supervised
from qd.candidates import Candidates, Purpose, Results, Status
from qd.training import Trained, TrainingOptions
from search_spaces import Choice, Metric, SearchSpace, Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Series, Values

GENOTYPES = [
    {"width": 32, "activation": "relu", "layers": [{"kind": "dense", "hidden": 40, "residual": True}]},
    {
        "width": 16,
        "activation": "silu",
        "layers": [{"kind": "moe", "experts": [16, 24, 8], "top_k": 1, "residual": True}],
    },
    {
        "width": 32,
        "activation": "tanh",
        "layers": [
            {"kind": "moe", "experts": [16, 16], "top_k": 2, "residual": False},
            {"kind": "dense", "hidden": 20, "residual": False},
        ],
    },
]


def candidates(**changes) -> Candidates:
    values = {
        "ids": np.array([4, 5, 6]),
        "evaluation_ids": np.array([14, 15, 16]),
        "seeds": np.array([2**53 - 1, 7, 0]),
        "shared_seed": 99,
        "genotypes": GENOTYPES,
    }
    return Candidates(**{**values, **changes})


def evaluator(**changes) -> Supervised:
    made = Supervised(**{"training": TrainingOptions(epochs=8, batch_size=50), **changes})
    made.reproducible = True  # what is stacked follows from no clock, so that equal calls round alike
    made.bind(SparseMoE())
    return made


def hasty() -> Supervised:
    """For what holds of networks however long they were trained."""
    return evaluator(training=TrainingOptions(epochs=2, batch_size=50))


@pytest.fixture(scope="module")
def results() -> Results:
    return evaluator().evaluate(candidates())


@pytest.fixture(scope="module")
def hasty_results() -> Results:
    return hasty().evaluate(candidates())


def test_networks_learn_the_digits(results):
    assert (results.status == Status.OK).all()
    assert (results.metrics["val_accuracy"] > 0.88).all()
    assert (results.metrics["val_loss"] < 0.5).all()


def test_every_metric_is_reported_within_its_range(results):
    declared = evaluator().metrics
    assert set(results.metrics) == set(declared) <= set(Supervised.metrics)
    for name, column in results.metrics.items():
        metric = declared[name]
        assert ((metric.low <= column) & (column <= metric.high)).all(), name
    metrics = results.metrics
    assert metrics["expert_entropy"][0] == metrics["specialisation"][0] == 0
    assert (metrics["expert_entropy"][1:] > 0).all() and (metrics["specialisation"][1] > 0.05)
    assert metrics["active_parameters"][0] == metrics["parameters"][0] == 65 * 32 + 33 * 40 + 41 * 32 + 33 * 10
    assert metrics["active_parameters"][1] < metrics["parameters"][1]
    assert metrics["macs"][0] == 64 * 32 + 2 * 32 * 40 + 32 * 10
    assert (results.seconds > metrics["train_seconds"]).all()


def test_a_row_depends_neither_on_batch_mates_nor_on_the_global_generator():
    one_by_one = evaluator(training=TrainingOptions(epochs=2, batch_size=50), stack=1)
    together = one_by_one.evaluate(candidates())
    torch.manual_seed(123)
    state = torch.get_rng_state()
    alone = one_by_one.evaluate(candidates().take([1]))
    assert torch.equal(torch.get_rng_state(), state)
    for name, column in alone.metrics.items():
        if not Supervised.metrics[name].time:
            assert column[0] == together.metrics[name][1], name
    for name, array in alone.weights[15].items():
        np.testing.assert_array_equal(array, together.weights[15][name])


def test_in_a_stack_a_row_is_the_same_but_for_rounding(hasty_results):
    alone = hasty().evaluate(candidates().take([1]))
    for name, column in alone.metrics.items():
        if not Supervised.metrics[name].time:
            assert column[0] == pytest.approx(hasty_results.metrics[name][1], rel=1e-6), name
    for name, array in alone.weights[15].items():
        np.testing.assert_allclose(array, hasty_results.weights[15][name], rtol=1e-4, atol=1e-5)


def test_seeds_matter(hasty_results):
    other = hasty().evaluate(candidates(seeds=np.array([1, 2, 3])))
    reordered = hasty().evaluate(candidates(shared_seed=100))
    for changed in (other, reordered):
        assert (changed.metrics["val_loss"] != hasty_results.metrics["val_loss"]).all()


def test_weights_are_the_trained_networks(hasty_results):
    judge = hasty()
    inputs, labels = judge._validation
    for row, (id, weights) in enumerate(hasty_results.weights.items()):
        assert id == hasty_results.evaluation_ids[row]
        assert all(array.dtype == np.float32 for array in weights.values())
        network = SparseMoE().build(GENOTYPES[row], judge.data.task)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        with torch.no_grad():
            accuracy = (network.eval()(inputs).argmax(1) == labels).double().mean()
        assert float(accuracy) == hasty_results.metrics["val_accuracy"][row]


def test_less_fidelity_trains_less(results):
    short = evaluator().evaluate(candidates(fidelity=1e-3))
    assert (short.metrics["val_accuracy"] < results.metrics["val_accuracy"]).all()


def test_a_curve_is_kept_where_asked_and_ends_in_what_is_reported(hasty_results):
    judge = evaluator(training=TrainingOptions(epochs=2, batch_size=50, curve=True))
    results = judge.evaluate(candidates())
    assert set(results.curves) == {14, 15, 16} and hasty_results.curves == {}
    for row, id in enumerate(results.evaluation_ids.tolist()):
        curve = results.curves[id]
        assert curve.epochs.tolist() == [1, 2]
        assert list(curve.scores) == ["val_accuracy", "val_loss"]
        for name, values in curve.scores.items():
            assert values[-1] == pytest.approx(results.metrics[name][row], rel=1e-5), name
            assert values[0] != values[-1]
    for name, column in results.metrics.items():
        if not Supervised.metrics[name].time:
            np.testing.assert_array_equal(column, hasty_results.metrics[name], name)
    assert judge.evaluate(candidates(purpose=Purpose.VERIFICATION)).curves == {}


def test_only_verification_looks_at_the_test_split(hasty_results, monkeypatch):
    """A test split that nobody may touch does not disturb the search; one with wrong labels shows in verification."""
    real = Digits.splits

    class Untouchable:
        def __len__(self):
            return 359

        def __getattribute__(self, name):
            raise AssertionError(f"the test split was touched: {name}")

    def guarded(self) -> Splits:
        return replace(real(self), test=Untouchable())  # pyright: ignore[reportArgumentType] - that is the point

    monkeypatch.setattr(Digits, "splits", guarded)
    for purpose in (Purpose.SEARCH, Purpose.REEVALUATION):
        again = hasty().evaluate(candidates(purpose=purpose))
        np.testing.assert_array_equal(again.metrics["val_accuracy"], hasty_results.metrics["val_accuracy"])
    with pytest.raises(AssertionError, match="the test split was touched"):
        hasty().evaluate(candidates(purpose=Purpose.VERIFICATION))

    def mislabelled(self) -> Splits:
        splits = real(self)
        return replace(splits, test=replace(splits.test, targets=(splits.test.targets + 1) % 10))

    monkeypatch.setattr(Digits, "splits", mislabelled)
    fooled = hasty().evaluate(candidates(purpose=Purpose.VERIFICATION))
    assert (fooled.metrics["val_accuracy"] < 0.1).all()


def test_preprocessing_centres_the_training_examples():
    judge = evaluator()
    assert judge.about.class_names == tuple("0123456789")
    inputs, _ = judge.training_examples
    assert inputs.shape[1:] == (1, 8, 8) and inputs.dtype == torch.float32
    torch.testing.assert_close(inputs[:].mean(0), torch.zeros(1, 8, 8), atol=1e-5, rtol=0)
    assert float(inputs[:].std()) == pytest.approx(1, abs=1e-3)


@dataclass(frozen=True)
class Waves(DataSet):
    """Series of two channels; the value is how fast and how high they go, in large units."""

    name = "waves"
    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Series(12, 2), Values(2))

    def read(self) -> Examples:
        rng = np.random.default_rng(0)
        speed, height = rng.uniform(0.2, 1, 400), rng.uniform(1, 2, 400)
        angles = speed[:, None] * np.arange(12)
        series = height[:, None, None] * np.stack([np.sin(angles), np.cos(angles)], axis=2)
        return Examples(series.astype(np.float32), np.stack([1000 * speed, height - 50], axis=1))

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:], Scaling.of(train.targets))


def test_values_are_scored_in_units_of_the_data():
    judge = evaluator(data=Waves(), training=TrainingOptions(epochs=30, batch_size=20))
    assert list(judge.metrics)[:4] == ["val_r2", "val_rmse", "val_mae", "val_loss"]
    assert "specialisation" not in judge.metrics
    results = judge.evaluate(candidates())
    assert (results.status == Status.OK).all(), results.errors
    assert (results.metrics["val_r2"] > 0.9).all()
    assert (results.metrics["val_rmse"] > 1).all() and (results.metrics["val_rmse"] < 100).all()
    assert (results.metrics["val_loss"] < 0.1).all()


def test_inputs_that_are_too_many_to_keep_train_the_same_networks(hasty_results, monkeypatch):
    monkeypatch.setattr("evaluators.task_data.IN_MEMORY", 0)
    judge = hasty()
    assert not isinstance(judge.training_examples[0], torch.Tensor)
    again = judge.evaluate(candidates())
    for name, column in again.metrics.items():
        if not judge.metrics[name].time:
            np.testing.assert_array_equal(column, hasty_results.metrics[name], name)


def test_metrics_of_the_space_are_measured():
    class Linear(SearchSpace):
        genes = Choice(1)
        metrics = {"classes_seen": Metric()}

        def build(self, genotype, task):
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, task.outputs))

        def measure(self, genotype, module, outputs):
            assert not module.training
            return {"classes_seen": float(len(outputs.argmax(1).unique()))}

    judge = Supervised(training=TrainingOptions(epochs=3))
    judge.bind(Linear())
    results = judge.evaluate(candidates(genotypes=[1, 1, 1]))
    assert results.metrics["classes_seen"].tolist() == [10, 10, 10]
    assert results.metrics["macs"].tolist() == [640, 640, 640]


def test_a_space_without_build_is_refused():
    class Table(SearchSpace):
        genes = Choice(1, 2)

    with pytest.raises(ValueError, match=r"Table has no build\(\)"):
        Supervised().bind(Table())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Supervised(Digits(Split(seed=-1))), "split.seed: expected at least 0, got -1"),
        (lambda: Supervised(Digits(Split(train=5000))), "split.train: expected 5000 examples, and 1151 are left"),
        (lambda: Supervised(training=TrainingOptions(epochs=0)), "epochs: expected at least 1"),
        (lambda: Supervised(metrics=("recal",)), "metrics: there is no 'recal' of this task"),
        (lambda: Supervised(metrics=("auc",)), "metrics: there is no 'auc' of this task"),
        (
            lambda: Supervised(FashionMNIST("/nowhere")),
            r"data\.folder: expected .* in /nowhere, missing",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_best_chunk_is_what_a_stack_may_hold():
    assert evaluator().best_chunk == 32
    assert evaluator(stack=5).best_chunk == 5
    small = Supervised(stack_megabytes=2)
    small.bind(SparseMoE())
    assert 1 <= small.best_chunk < 32


class ScoredAlone(Supervised):
    """Runs every network by itself after training."""

    def scorer(self, purpose) -> Any:
        return lambda stack, networks: [None] * len(networks)


@pytest.mark.parametrize("purpose", [Purpose.SEARCH, Purpose.VERIFICATION])
def test_a_stack_is_scored_as_its_networks_are_alone(purpose):
    stacked = [{**genotype, "width": 16} for genotype in GENOTYPES]
    found = []
    for kind in (Supervised, ScoredAlone):
        made = kind(Digits(), TrainingOptions(epochs=1, batch_size=50), ("accuracy", "macro_f1", "calibration_error"))
        made.reproducible = True
        made.bind(SparseMoE())
        networks = made.train(SparseMoE(), candidates(genotypes=stacked, purpose=purpose))
        seen = [one.seen for one in networks if isinstance(one, Trained)]
        assert len(seen) == len(stacked)
        assert all(one is not None for one in seen) == (kind is Supervised)
        found.append(made.evaluate(candidates(genotypes=stacked, purpose=purpose)))
    together, alone = found
    assert together.metrics.keys() == alone.metrics.keys()
    for name, column in together.metrics.items():
        if not Supervised.metrics[name].time:
            np.testing.assert_allclose(column, alone.metrics[name], rtol=1e-5, atol=1e-7, err_msg=name)
    assert len(set(together.metrics["macs"])) == 3 and 0 < together.metrics["specialisation"].max() < 1
