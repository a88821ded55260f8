import numpy as np
import pytest

from qd.metrics.specialisation import specialisation
from qd.metrics.uses import uses_of

EVEN = np.eye(4)[[0, 1, 2, 3] * 5]
SINGLE = np.eye(4)[[2] * 20]
CLASSES = np.array([0, 1, 2, 3] * 5)


def of(layers, classes):
    return specialisation(uses_of({str(number): gates for number, gates in enumerate(layers)}, classes, 4).values())


def test_specialisation_at_known_values():
    assert of([EVEN], CLASSES) == pytest.approx(1)
    assert of([SINGLE], CLASSES) == 0
    # Experts that say nothing: every class goes to all four alike.
    assert of([EVEN[:16]], np.repeat([0, 1, 2, 3], 4)) == pytest.approx(0, abs=1e-12)
    # Two experts for two classes each: I = H(E) = log 2, H(C) = log 4.
    assert of([np.eye(2)[CLASSES // 2]], CLASSES) == pytest.approx(2 / 3)
    assert of([EVEN, SINGLE], CLASSES) == pytest.approx(0.5)
    assert of([], CLASSES) == 0
    assert of([EVEN], np.zeros(20, int)) == 0


def test_examples_count_alike_whatever_their_gates_add_up_to():
    assert of([EVEN * np.linspace(0.1, 1, 20)[:, None]], CLASSES) == pytest.approx(1)


def test_parts_of_an_example_have_its_class():
    assert of([EVEN], CLASSES) == of([np.repeat(EVEN, 3, 0)], CLASSES) == pytest.approx(1)


def test_gates_share_an_example_among_experts():
    assert of([np.full((6, 2), 0.3)], np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(0, abs=1e-12)
