"""Non-dominated sorting against a plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qd.emitters.baselines.pareto import crowding_distances, fronts_of, pareto_order


def plain_fronts(values: np.ndarray) -> list[int]:
    fronts = [-1] * len(values)
    front = 0
    while -1 in fronts:
        left = [row for row in range(len(values)) if fronts[row] == -1]
        for row in left:
            better = [(values[other] >= values[row]).all() and (values[other] > values[row]).any() for other in left]
            if not any(better):
                fronts[row] = front
        front += 1
    return fronts


@given(st.integers(2, 4).flatmap(lambda m: st.lists(st.lists(st.integers(0, 4), min_size=m, max_size=m), max_size=30)))
def test_fronts_equal_those_of_a_plain_sort(rows):
    values = np.array(rows, dtype=np.float64).reshape(len(rows), -1 if rows else 2)
    assert fronts_of(values).tolist() == plain_fronts(values)


def test_crowding_by_hand():
    values = np.array([[0.0, 10.0], [1.0, 8.0], [3.0, 7.0], [10.0, 0.0]])
    distances = crowding_distances(values)
    assert distances[[0, 3]].tolist() == [np.inf, np.inf]
    assert distances[1:3] == pytest.approx([3 / 10 + 3 / 10, 9 / 10 + 8 / 10])


def test_the_order_is_by_front_and_then_the_least_crowded():
    values = np.array([[0.0, 0.0], [1.0, 8.0], [0.0, 10.0], [3.0, 7.0], [10.0, 0.0]])
    assert pareto_order(values).tolist() == [2, 4, 3, 1, 0]
