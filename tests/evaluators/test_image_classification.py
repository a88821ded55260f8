from typing import Any

import numpy as np
import pytest
import torch
from evaluators.image_classification import ImageClassification

from evaluators import image_classification
from evaluators.data import Part, Splits
from evaluators.data.fashion_mnist import FashionMNIST
from qd.candidates import Candidates, Purpose, Results, Status
from search_spaces import Choice, Metric, SearchSpace
from search_spaces.sparse_moe import SparseMoE

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


def evaluator(**changes) -> ImageClassification:
    keys: dict[str, Any] = {"epochs": 8, "batch_size": 50, **changes}
    made = ImageClassification(**keys)
    made.bind(SparseMoE())
    return made


@pytest.fixture(scope="module")
def results() -> Results:
    return evaluator().evaluate(candidates())


def test_networks_learn_the_digits(results):
    assert (results.status == Status.OK).all()
    assert (results.metrics["val_accuracy"] > 0.88).all()
    assert (results.metrics["val_loss"] < 0.5).all()


def test_every_metric_is_reported_within_its_range(results):
    assert set(results.metrics) == set(ImageClassification.metrics)
    for name, column in results.metrics.items():
        metric = ImageClassification.metrics[name]
        assert ((metric.low <= column) & (column <= metric.high)).all(), name
    metrics = results.metrics
    assert metrics["expert_entropy"][0] == metrics["specialisation"][0] == 0
    assert (metrics["expert_entropy"][1:] > 0).all() and (metrics["specialisation"][1] > 0.05)
    assert metrics["active_parameters"][0] == metrics["parameters"][0] == 65 * 32 + 33 * 40 + 41 * 32 + 33 * 10
    assert metrics["active_parameters"][1] < metrics["parameters"][1]
    assert metrics["macs"][0] == 64 * 32 + 2 * 32 * 40 + 32 * 10
    assert (results.seconds > metrics["train_seconds"]).all()


def test_a_row_depends_neither_on_batch_mates_nor_on_the_global_generator(results):
    torch.manual_seed(123)
    state = torch.get_rng_state()
    alone = evaluator().evaluate(candidates().take([1]))
    assert torch.equal(torch.get_rng_state(), state)
    for name, column in alone.metrics.items():
        if not ImageClassification.metrics[name].time:
            assert column[0] == results.metrics[name][1], name
    for name, array in alone.weights[15].items():
        np.testing.assert_array_equal(array, results.weights[15][name])


def test_seeds_matter(results):
    other = evaluator().evaluate(candidates(seeds=np.array([1, 2, 3])))
    reordered = evaluator().evaluate(candidates(shared_seed=100))
    for changed in (other, reordered):
        assert (changed.metrics["val_loss"] != results.metrics["val_loss"]).all()


def test_weights_are_the_trained_networks(results):
    judge = evaluator()
    inputs, labels = judge._validation
    for row, (id, weights) in enumerate(results.weights.items()):
        assert id == results.evaluation_ids[row]
        assert all(array.dtype == np.float32 for array in weights.values())
        network = SparseMoE().build(GENOTYPES[row], judge.data.task)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        with torch.no_grad():
            accuracy = (network.eval()(inputs).argmax(1) == labels).double().mean()
        assert float(accuracy) == results.metrics["val_accuracy"][row]


def test_less_fidelity_trains_less(results):
    short = evaluator().evaluate(candidates(fidelity=1e-3))
    assert (short.metrics["val_accuracy"] < results.metrics["val_accuracy"]).all()


def test_only_verification_looks_at_the_test_split(results, monkeypatch):
    """A test split that nobody may touch does not disturb the search; one with wrong labels shows in verification."""
    real = image_classification.split

    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError(f"the test split was touched: {name}")

    def guarded(*arguments) -> Splits:
        return real(*arguments)._replace(test=Untouchable())  # pyright: ignore[reportArgumentType] - that is the point

    monkeypatch.setattr(image_classification, "split", guarded)
    for purpose in (Purpose.SEARCH, Purpose.REEVALUATION):
        again = evaluator().evaluate(candidates(purpose=purpose))
        np.testing.assert_array_equal(again.metrics["val_accuracy"], results.metrics["val_accuracy"])
    with pytest.raises(AssertionError, match="the test split was touched"):
        evaluator().evaluate(candidates(purpose=Purpose.VERIFICATION))

    def mislabelled(*arguments) -> Splits:
        splits = real(*arguments)
        return splits._replace(test=Part(splits.test.images, (splits.test.labels + 1) % 10))

    monkeypatch.setattr(image_classification, "split", mislabelled)
    fooled = evaluator().evaluate(candidates(purpose=Purpose.VERIFICATION))
    assert (fooled.metrics["val_accuracy"] < 0.1).all()


def test_preprocessing_centres_the_training_examples():
    judge = evaluator()
    assert judge.class_names == tuple("0123456789")
    assert judge.preprocessing.mean.shape == judge.data.image_shape
    inputs, _ = judge._training
    assert inputs.dtype == torch.float32
    torch.testing.assert_close(inputs.mean(0), torch.zeros(judge.data.image_shape), atol=1e-5, rtol=0)
    assert float(inputs.std()) == pytest.approx(1, abs=1e-3)


def test_metrics_of_the_space_are_measured():
    class Linear(SearchSpace):
        genes = Choice(1)
        metrics = {"classes_seen": Metric()}

        def build(self, genotype, task):
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, task.outputs))

        def measure(self, genotype, module, outputs):
            assert not module.training
            return {"classes_seen": float(len(outputs.argmax(1).unique()))}

    judge = ImageClassification(epochs=3)
    judge.bind(Linear())
    results = judge.evaluate(candidates(genotypes=[1, 1, 1]))
    assert results.metrics["classes_seen"].tolist() == [10, 10, 10]
    assert results.metrics["macs"].tolist() == [640, 640, 640]


def test_a_space_without_build_is_refused():
    class Table(SearchSpace):
        genes = Choice(1, 2)

    with pytest.raises(ValueError, match=r"Table has no build\(\)"):
        ImageClassification().bind(Table())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split_seed": -1}, "split_seed: expected at least 0, got -1"),
        ({"train_examples": 5000}, "train_examples: expected 1 to 1151"),
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"data": FashionMNIST("/nowhere")}, r"data\.folder: expected the files of Fashion-MNIST in /nowhere"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageClassification(**arguments)
