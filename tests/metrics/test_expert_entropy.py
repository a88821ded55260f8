import numpy as np
import pytest

from qd.metrics.expert_entropy import expert_entropy
from qd.metrics.uses import uses_of

EVEN = np.eye(4)[[0, 1, 2, 3] * 5]
SINGLE = np.eye(4)[[2] * 20]


def of(layers):
    return expert_entropy(uses_of({str(number): gates for number, gates in enumerate(layers)}).values())


def test_expert_entropy_at_known_values():
    assert of([EVEN]) == pytest.approx(1)
    assert of([SINGLE]) == 0
    assert of([EVEN, SINGLE]) == pytest.approx(0.5)
    assert of([]) == 0
    assert of([EVEN[:, :2][[0, 1]].repeat([3, 1], axis=0)]) == pytest.approx(0.8112781244591328)  # H(1/4)


def test_examples_count_alike_whatever_their_gates_add_up_to():
    assert of([EVEN * np.linspace(0.1, 1, 20)[:, None]]) == pytest.approx(1)


def test_gates_share_an_example_among_experts():
    assert of([np.full((6, 2), 0.3)]) == pytest.approx(1)
