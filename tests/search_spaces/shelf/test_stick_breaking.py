from __future__ import annotations

import math

import pytest
import torch

from qd.metrics.active_parameters import active_parameters
from qd.metrics.macs import macs
from qd.metrics.parameters import parameters
from qd.metrics.routing import predict
from qd.metrics.uses import uses_of
from search_spaces.shelf.base import Port
from search_spaces.shelf.stick_breaking.layer import Expert, ExpertsOfHeads, stick_breaking

PORT = Port("tokens", 16, (7,), causal=True)


def layer(experts: int = 4, top_k: int = 2, positions: str = "stick-breaking", **weights: float) -> ExpertsOfHeads:
    torch.manual_seed(0)
    return ExpertsOfHeads(PORT, experts, top_k, 8, 2, positions, **{"balance": 0.0, "concentration": 0.0, **weights})


def test_attention_breaks_off_what_newer_keys_have_left() -> None:
    scores = 3 * torch.randn(2, 6, 6, dtype=torch.float64)
    weights = stick_breaking(scores)
    for row in range(2):
        for query in range(6):
            left = 1.0
            for key in range(query, -1, -1):
                taken = left / (1 + math.exp(-float(scores[row, query, key])))
                assert float(weights[row, query, key]) == pytest.approx(taken, rel=1e-12)
                left -= taken
            assert not weights[row, query, query + 1 :].any()


def test_large_scores_have_finite_gradients() -> None:
    scores = torch.full((5, 5), 300.0).triu(-2) - torch.full((5, 5), 300.0).tril(-3)
    scores.requires_grad_()
    weights = stick_breaking(scores)
    weights.square().sum().backward()
    torch.testing.assert_close(weights.detach(), torch.eye(5))
    assert scores.grad is not None and scores.grad.isfinite().all()


@pytest.mark.parametrize("positions", ["stick-breaking", "rotary"])
def test_output_is_the_sum_of_the_chosen_experts_by_probability(positions: str) -> None:
    network, x = layer(positions=positions).double(), torch.randn(3, 7, 16, dtype=torch.float64)
    norm, gates = network.norm(x), network.route(x).view(3, 7, 4)
    keys, values = network.keys_values(norm).chunk(2, -1)
    expected = x
    for number, expert in enumerate(network.experts):
        assert isinstance(expert, Expert)
        attended = network._attend(expert.queries(norm)[..., None, :], keys, values)[..., 0, :]
        expected = expected + gates[..., number : number + 1] * expert.out(attended)
    torch.testing.assert_close(network(x), expected)
    probabilities = network.router(norm).softmax(-1).flatten(0, 1)
    assert ((gates.flatten(0, 1) == 0) | (gates.flatten(0, 1) == probabilities)).all(), "probabilities as they are"


def test_losses_are_least_where_experts_are_even_or_few() -> None:
    balanced, concentrated = layer(balance=1.0), layer(concentration=1.0)
    sure = torch.eye(4).mul(100).repeat(3, 1)
    one = sure[:1].repeat(12, 1)
    for rows, balance, concentration in ((sure, -math.log(4), math.log(4)), (one, 0, 0), (0 * one, 0, math.log(4))):
        p = rows.softmax(-1)[None]
        assert float(balanced._loss(p)) == pytest.approx(balance, abs=1e-5)
        assert float(concentrated._loss(p)) == pytest.approx(concentration, abs=1e-5)


def test_only_the_chosen_experts_count() -> None:
    x = torch.randn(5, 7, 16)
    counts = {}
    for experts, top_k in ((4, 1), (4, 4)):
        network = layer(experts, top_k).eval()
        _, routing = predict(network, x)
        counts[top_k] = macs(network, x[:1], uses_of(routing))
        idle = (experts - top_k) * 2 * 16 * 8
        assert active_parameters(network, uses_of(routing), dict) == pytest.approx(parameters(network) - idle)
    shared = 7 * (16 * 16 + 16 * 4 + 16 * 16)
    an_expert = 7 * (2 * 16 * 8 + 2 * 7 * 8)
    assert counts == {1: pytest.approx(shared + an_expert), 4: pytest.approx(shared + 4 * an_expert)}
