"""Learning curves: the same in a stack as alone, and what the plain loop has after each epoch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.scores import Scores
from qd.candidates import Start
from qd.training import EarlyStopping, TrainingOptions, build_seeded, train_alone, train_population
from search_spaces import Choice, Real, SearchSpace, Struct, Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

TASK = Task(Vector(4), Classes(3))
SCORES = Scores(TASK, ("accuracy", "macro_f1"))


class Perceptrons(SearchSpace):
    genes = Struct(learning_rate=Real(1e-3, 3.0), extra=Choice("none", "dropout"))

    def build(self, genotype, task):
        extra = [nn.Dropout(0.3)] if genotype["extra"] == "dropout" else []
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), *extra, nn.Linear(6, task.outputs))

    def training_options(self, genotype):
        return {"learning_rate": genotype["learning_rate"]}


def mixture(depth):
    layers = [{"kind": "moe", "experts": [4, 6], "top_k": 1, "residual": True}]
    return {"width": 8, "activation": "relu", "layers": layers * depth}


def perceptrons(extra="none"):
    return [{"learning_rate": rate, "extra": extra} for rate in (0.03, 3.0, 0.001)]


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(160, 4, generator=generator, dtype=torch.float64)
    targets = inputs[:, :3].argmax(1)
    return inputs[:60], targets[:60], (inputs[60:], targets[60:])


def options(**changes):
    return TrainingOptions(**{"epochs": 6, "batch_size": 20, "schedule": "constant", **changes})


def assert_equal(one, other):
    np.testing.assert_array_equal(one.epochs, other.epochs)
    assert one.scores.keys() == other.scores.keys()
    for name, values in one.scores.items():
        np.testing.assert_allclose(values, other.scores[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("stopping", [None, EarlyStopping(1)])
@pytest.mark.parametrize("fidelity", [1.0, 0.45])
@pytest.mark.parametrize(
    ("space", "genotypes", "stacked"),
    [
        (Perceptrons(), perceptrons(), 3),
        (Perceptrons(), perceptrons("dropout"), 1),
        (SparseMoE(), [mixture(1), mixture(2)], 2),
    ],
)
def test_a_stack_keeps_the_curves_of_its_networks_alone(data, space, genotypes, stacked, fidelity, stopping):
    inputs, targets, validation = data
    how, seeds = options(early_stopping=stopping), range(len(genotypes))
    together: list[Any] = train_population(
        space, genotypes, seeds, TASK, inputs, targets, how, 5, fidelity, None, validation, scores=SCORES
    )
    curves: list[Any] = []
    for genotype, seed, trained in zip(genotypes, seeds, together, strict=True):
        assert trained.stacked == stacked
        network = build_seeded(lambda genotype=genotype: space.build(genotype, TASK), seed).double()
        own = how.with_overrides(space.training_options(genotype))
        curves.append(
            train_alone(network, inputs, targets, own, TASK.loss, 5, fidelity, seed, validation, scores=SCORES)
        )
        assert list(curves[-1].scores) == ["val_accuracy", "val_macro_f1", "val_loss"]
        assert_equal(trained.curve, curves[-1])
    if stopping is None:
        assert curves[0].epochs.tolist() == ([1, 2, 3, 4, 5, 6] if fidelity == 1 else [1, 2, 8 / 3])
    elif isinstance(space, Perceptrons) and fidelity == 1:
        assert len(set(map(len, curves))) > 1, "they were to stop at different times"


def test_points_are_the_scores_of_the_plain_loop(data):
    inputs, targets, validation = data
    network = build_seeded(lambda: Perceptrons().build(perceptrons()[0], TASK), 0).double()
    curve: Any = train_alone(network, inputs, targets, options(), TASK.loss, 5, validation=validation, scores=SCORES)
    for row, epochs in enumerate(curve.epochs.tolist()):
        plain = build_seeded(lambda: Perceptrons().build(perceptrons()[0], TASK), 0).double()
        train_alone(plain, inputs, targets, options(epochs=int(epochs)), TASK.loss, 5)
        with torch.no_grad():
            [expected] = SCORES.of([SCORES.judge(plain.eval()(validation[0])[None], validation[1])])
        for name, value in expected.items():
            assert curve.scores[name][row] == pytest.approx(value, rel=1e-6), name


def test_a_network_that_goes_on_has_the_epochs_that_are_new(data):
    inputs, targets, validation = data
    half: list[Any] = train_population(
        Perceptrons(), perceptrons(), range(3), TASK, inputs, targets, options(), 5, 0.45
    )
    starts = [Start({name: tensor.numpy() for name, tensor in one.network.state_dict().items()}, 0.45) for one in half]
    rest: list[Any] = train_population(
        Perceptrons(),
        perceptrons(),
        range(3),
        TASK,
        inputs,
        targets,
        options(),
        5,
        validation=validation,
        starts=starts,
        scores=SCORES,
    )
    for one in rest:
        assert one.curve.epochs.tolist() == [3, 4, 5, 6]


def test_keeping_a_curve_changes_no_network(data):
    inputs, targets, validation = data
    states = []
    for scores in (None, SCORES):
        network = build_seeded(lambda: Perceptrons().build(perceptrons("dropout")[0], TASK), 0).double()
        curve = train_alone(network, inputs, targets, options(), TASK.loss, 5, 1.0, 7, validation, scores=scores)
        assert (curve is None) == (scores is None)
        states.append(network.state_dict())
    assert all(tensor.equal(states[1][name]) for name, tensor in states[0].items())


def test_it_needs_validation_examples(data):
    with pytest.raises(ValueError, match="curve: expected validation examples to judge epochs by, got none"):
        train_alone(nn.Linear(4, 3), data[0], data[1], options(), TASK.loss, 5, scores=SCORES)
