import numpy as np
import pytest

from qd.metrics.expert_entropy import expert_entropy

EVEN = np.eye(4)[[0, 1, 2, 3] * 5]
SINGLE = np.eye(4)[[2] * 20]


def test_expert_entropy_at_known_values():
    assert expert_entropy([EVEN]) == pytest.approx(1)
    assert expert_entropy([SINGLE]) == 0
    assert expert_entropy([EVEN, SINGLE]) == pytest.approx(0.5)
    assert expert_entropy([]) == 0
    assert expert_entropy([EVEN[:, :2][[0, 1]].repeat([3, 1], axis=0)]) == pytest.approx(0.8112781244591328)  # H(1/4)


def test_examples_count_alike_whatever_their_gates_add_up_to():
    assert expert_entropy([EVEN * np.linspace(0.1, 1, 20)[:, None]]) == pytest.approx(1)


def test_gates_share_an_example_among_experts():
    assert expert_entropy([np.full((6, 2), 0.3)]) == pytest.approx(1)
