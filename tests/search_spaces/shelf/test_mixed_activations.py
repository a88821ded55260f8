from typing import Any

import pytest
import torch
from torch.nn import functional

from search_spaces.shelf.base import Port
from search_spaces.shelf.mixed_activations import MixedActivations

FUNCTIONS = [torch.relu, torch.sigmoid, torch.tanh, functional.leaky_relu, functional.elu, functional.selu]


def build(choosing: float = 0.5) -> Any:
    torch.manual_seed(0)
    return MixedActivations().build({"hidden": 12, "choosing": choosing}, Port("vector", 8))


def test_a_unit_mixes_the_activations_by_its_scores() -> None:
    network, x = build(), torch.randn(4, 8)
    z, weights = network.up(network.norm(x)), network.scores.softmax(0)
    hidden = torch.zeros(4, 12)
    for unit in range(12):
        for row, function in enumerate(FUNCTIONS):
            hidden[:, unit] += weights[row, unit] * function(z[:, unit])
    torch.testing.assert_close(network(x), x + network.down(hidden))


@pytest.mark.parametrize("choosing, steps", [(0.5, 10), (0.25, 3), (0.75, 7), (0.25, 1)])
def test_units_choose_once_and_keep_it(choosing: float, steps: int) -> None:
    network = build(choosing)
    optimiser, sharpness = torch.optim.Adam(network.parameters(), 0.3), 1.0
    kept = None
    for step in range(steps):
        optimiser.zero_grad()
        network(torch.randn(16, 8)).square().sum().backward()
        optimiser.step()
        network.after_step(step, steps)
        assert sharpness <= float(network.sharpness) <= 30.001
        sharpness = float(network.sharpness)
        if kept is None and step + 1 >= choosing * steps:
            kept = network.weights().detach().clone()
            assert kept.sum(0).eq(1).all() and kept.max(0).values.eq(1).all()
            assert kept.argmax(0).equal(network.scores.argmax(0))
        elif kept is None:
            assert not network.kept.any()
        else:
            assert network.weights().equal(kept)
    assert kept is not None


def test_variety_is_0_where_all_chose_the_same_and_1_where_all_differ() -> None:
    network = build()
    network.kept.zero_()[2] = 1
    assert network.observe(torch.zeros(1, 8)) == {"activation_variety": 0}
    network.kept.zero_()[torch.arange(12) % 6, torch.arange(12)] = 1
    assert float(network.observe(torch.zeros(1, 8))["activation_variety"]) == pytest.approx(1)
