import numpy as np
import pytest
import torch
from torch import nn

from qd.metrics.expert_entropy import expert_entropy
from qd.metrics.routing import predict
from qd.metrics.specialisation import specialisation
from search_spaces.shelf import MixtureOfExperts

EVEN = np.eye(4)[[0, 1, 2, 3] * 5]
SINGLE = np.eye(4)[[2] * 20]
CLASSES = np.array([0, 1, 2, 3] * 5)


def test_expert_entropy_at_known_values():
    assert expert_entropy([EVEN]) == pytest.approx(1)
    assert expert_entropy([SINGLE]) == 0
    assert expert_entropy([EVEN, SINGLE]) == pytest.approx(0.5)
    assert expert_entropy([]) == 0
    assert expert_entropy([EVEN[:, :2][[0, 1]].repeat([3, 1], axis=0)]) == pytest.approx(0.8112781244591328)  # H(1/4)


def test_examples_count_alike_whatever_their_gates_add_up_to():
    gates = EVEN * np.linspace(0.1, 1, 20)[:, None]
    assert expert_entropy([gates]) == pytest.approx(1)
    assert specialisation([gates], CLASSES) == pytest.approx(1)


def test_gates_share_an_example_among_experts():
    assert expert_entropy([np.full((6, 2), 0.3)]) == pytest.approx(1)
    assert specialisation([np.full((6, 2), 0.3)], np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(0, abs=1e-12)


def test_specialisation_at_known_values():
    assert specialisation([EVEN], CLASSES) == pytest.approx(1)
    assert specialisation([SINGLE], CLASSES) == 0
    # Experts that say nothing: every class goes to all four alike.
    assert specialisation([EVEN[:16]], np.repeat([0, 1, 2, 3], 4)) == pytest.approx(0, abs=1e-12)
    # Two experts for two classes each: I = H(E) = log 2, H(C) = log 4.
    assert specialisation([np.eye(2)[CLASSES // 2]], CLASSES) == pytest.approx(2 / 3)
    assert specialisation([EVEN, SINGLE], CLASSES) == pytest.approx(0.5)
    assert specialisation([], CLASSES) == 0
    assert specialisation([EVEN], np.zeros(20, int)) == 0


def test_predict_gives_outputs_and_gates_of_all_examples():
    torch.manual_seed(0)
    layer = MixtureOfExperts(4, [2, 5, 3], 2, "relu", 0.1)
    network = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2)).eval()
    inputs = torch.randn(25, 3)
    outputs, gates = predict(network, inputs, batch_size=10)
    with torch.no_grad():
        torch.testing.assert_close(outputs, network(inputs))
        hidden = network[0](inputs)
    assert list(gates) == ["1"]
    np.testing.assert_allclose(gates["1"], layer.route(hidden).detach().numpy(), rtol=1e-6)
    assert ((gates["1"] > 0).sum(1) == 2).all()
    assert not layer._forward_hooks
