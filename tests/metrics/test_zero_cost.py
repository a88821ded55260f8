"""Scores of untrained networks at values that can be worked out by hand, and what they do not depend on."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qd
from evaluators.data import Split
from evaluators.data.digits import Digits
from evaluators.supervised import Supervised
from qd.metrics.base import MetricError
from qd.metrics.gradient_norm import GradientNorm
from qd.metrics.jacobian_covariance import JacobianCovariance, decorrelation
from qd.metrics.joined import JoinedMetrics
from qd.metrics.known import known_metrics
from qd.metrics.parameters import Parameters
from qd.metrics.subject import Subject
from qd.metrics.synflow import LEAST, MOST, Synflow, synflow
from qd.metrics.zero_cost import some_examples
from qd.testing.metrics import draw_examples
from qd.training import TrainingOptions
from search_spaces import Choice, SearchSpace, Task
from search_spaces.chain import Chain
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.task import Classes, NextToken, Tokens, Values, Vector

TASK = Task(Vector(2), Values(1))
ONES = torch.ones(1, 2, dtype=torch.float64)


def lines(first: list[list[float]], second: list[list[float]], *between: nn.Module) -> nn.Sequential:
    """Two linear maps without biases, and what stands between them."""
    into, out = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        into.double().weight.copy_(torch.tensor(first, dtype=torch.float64))
        out.double().weight.copy_(torch.tensor(second, dtype=torch.float64))
    return nn.Sequential(into, *between, out).double()


@pytest.mark.parametrize(
    "between", [[], [nn.ReLU()], [nn.LayerNorm(2), nn.ReLU()], [nn.BatchNorm1d(2)], [nn.Dropout()]]
)
def test_synaptic_flow_passes_through_every_layer(between):
    # |W1| 1 = (3, 3), |W2| (3, 3) = 6: as much flows through the first layer as through the second
    assert synflow(lines([[1, -2], [3, 0]], [[1, -1]], *between), ONES) == pytest.approx(math.log10(6 + 6))


def test_synaptic_flow_of_a_cut_network_and_of_one_beyond_all_numbers():
    assert synflow(lines([[1, 1], [1, 1]], [[0, 0]]), ONES) == LEAST
    assert synflow(lines([[1e200, 1], [1, 1]], [[1e200, 1]]), ONES) == MOST


@pytest.mark.parametrize(
    ("jacobian", "score"),
    [
        # orthogonal once centred: both eigenvalues are 1
        ([[1, -1, 0, 0], [0, 0, 1, -1]], -2.0),
        # the same direction twice: eigenvalues 2 and 0
        ([[1, -1, 0, 0], [2, -2, 0, 0]], -(math.log(2) + 0.5 + math.log(1e-5) + 1e5)),
        # no direction at all: both are 0
        ([[0, 0, 0, 0], [3, 3, 3, 3]], -2 * (math.log(1e-5) + 1e5)),
    ],
)
def test_jacobians_that_differ_score_high(jacobian, score):
    assert decorrelation(np.array(jacobian, dtype=np.float64)) == pytest.approx(score, rel=1e-4)


class Line(SearchSpace):
    """One linear map from 2 numbers to 1, or nothing that learns."""

    genes = Choice("line", "nothing")

    def build(self, genotype, task):
        return nn.Linear(2, 1) if genotype == "line" else nn.Flatten()


def test_the_gradient_norm_is_that_of_one_minibatch():
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]], dtype=torch.float64)
    targets = torch.tensor([[1.0], [0.0], [2.0]], dtype=torch.float64)
    space = Line()
    subject = Subject("line", space, TASK, lambda: space.build("line", TASK), lambda: (inputs, targets))
    metric = GradientNorm(seed=3)
    line: Any = metric._initial(subject)
    weight, bias = line.weight.detach(), line.bias.detach()
    residual = inputs @ weight.T + bias - targets
    expected = (2 * residual.T @ inputs / 3).norm() + (2 * residual.mean(0)).norm()
    assert metric.measure(subject)["gradient_norm"] == pytest.approx(float(expected))


@pytest.mark.parametrize("metric", [Synflow(), JacobianCovariance(), GradientNorm()])
def test_a_network_without_parameters_is_worth_nothing(metric):
    space = Line()
    task = Task(Vector(2), Values(2))
    subject = Subject("nothing", space, task, lambda: space.build("nothing", task), lambda: draw_examples(task, 4))
    value = metric.measure(subject)[metric.name]
    assert value == {"synflow": LEAST, "gradient_norm": 0.0}.get(metric.name, value)
    assert metric.name != "jacobian_covariance" or value < -1e5, "every input is treated alike"


@pytest.mark.parametrize("make", [Synflow, JacobianCovariance, GradientNorm])
def test_training_changes_no_score_and_a_seed_does(make):
    space, task = Chain("vector", width=(16, 24), depth=(1, 3)), Task(Vector(2), Classes(3))
    genotype = space.genes.sample(np.random.default_rng(0))
    found = []
    for seed, scale in ((0, 1.0), (0, 7.0), (1, 1.0)):

        def trained(scale=scale):
            network = space.build(genotype, task)
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.mul_(scale)
            return network

        joined = JoinedMetrics([make(seed=seed)])
        joined.bind(space, task)
        found.append(joined.measure(Subject(genotype, space, task, trained, lambda: draw_examples(task, 40))))
    assert found[0] == found[1] != found[2]


def test_examples_are_taken_evenly():
    inputs, targets = torch.arange(20.0).reshape(10, 2), torch.arange(10)
    space = Line()
    subject = Subject("line", space, TASK, lambda: space.build("line", TASK), lambda: (inputs, targets))
    assert some_examples(subject, 4)[1].tolist() == [0, 3, 6, 9]
    assert some_examples(subject, 99)[0].tolist() == inputs.tolist()


def test_tokens_have_no_jacobian():
    task = Task(Tokens(8, 5), NextToken(5))
    with pytest.raises(MetricError, match="jacobian_covariance: needs inputs that are numbers, and those of this"):
        JoinedMetrics([JacobianCovariance()]).bind(Chain("tokens"), task)
    space = Chain("tokens", width=(16, 24), depth=(1, 1))
    genotype = space.genes.sample(np.random.default_rng(1))
    subject = Subject(genotype, space, task, lambda: space.build(genotype, task), lambda: draw_examples(task, 6))
    for metric in (Synflow(), GradientNorm()):
        assert math.isfinite(metric.measure(subject)[metric.name])


@pytest.mark.parametrize("make", [Synflow, JacobianCovariance, GradientNorm])
def test_it_is_known_before_training_where_the_examples_are(make):
    space, task = Chain("vector", width=(16, 24), depth=(1, 2)), Task(Vector(2), Classes(3))
    genotypes = [space.genes.sample(np.random.default_rng(seed)) for seed in range(3)]
    joined = JoinedMetrics([make(), Parameters()])
    joined.bind(space, task)
    name = make().name
    known = known_metrics(joined, space, task, genotypes, [name], lambda: draw_examples(task, 40))
    assert known.keys() == {name}
    for genotype, value in zip(genotypes, known[name].tolist(), strict=True):
        subject = Subject(
            genotype, space, task, lambda g=genotype: space.build(g, task), lambda: draw_examples(task, 40)
        )
        assert joined.measure(subject)[name] == value
    without = known_metrics(joined, space, task, genotypes, [name])
    assert without.keys() == ({name} if make is Synflow else set())


def test_a_search_takes_them_as_axes_that_are_known_before_training(tmp_path):
    data = {
        "space": {"kind": "grouped_mlp"},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "digits", "split": {"train": 200}},
            "training": {"epochs": 1},
        },
        "metrics": [
            "synflow",
            {"kind": "gradient_norm", "examples": 16},
            {"kind": "jacobian_covariance", "examples": 8},
        ],
        "archive": {
            "objective": "val_accuracy",
            "measures": [
                {"metric": "synflow", "low": -2, "high": 6, "bins": 6},
                {"metric": "gradient_norm", "low": 0, "high": 5, "bins": 5},
            ],
        },
        "emitters": [{"kind": "map_elites", "initial": 8}],
        "search": {"order": "id", "chunk": 4, "window": 4},
        "budget": {"evaluations": 20},
    }
    (tmp_path / "run.yaml").write_text(json.dumps(data))
    run = qd.run(tmp_path / "run.yaml", out=tmp_path / "out")
    frame = run.evaluations()
    assert set(frame["status"]) == {"ok"}, frame["error"].dropna().tolist()
    assert len(run.archive) > 1
    evaluator = Supervised(Digits(Split(train=200)), TrainingOptions(epochs=1))
    evaluator.measure_also([Synflow(), GradientNorm(16), JacobianCovariance(8)])
    evaluator.bind(GroupedMLP())
    ids = frame["id"].tolist()
    genotypes = run.genotypes(ids)
    known = evaluator.known([genotypes[id] for id in ids], ["synflow", "gradient_norm", "jacobian_covariance"])
    for name, column in known.items():
        np.testing.assert_allclose(column, frame[name], rtol=1e-9, err_msg=name)
    assert len(known) == 3
