"""What a result would have to surpass."""

import numpy as np
import pytest

from qd.archives import Axis, GridArchive, Objective

AXES = [Axis("x", 0, 2, 2, "linear", ""), Axis("y", 1, 100, 2, "log", "")]
PLACES = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [2.5, 0.5], [0.5, -0.1]])  # two lie outside


def filled(direction: str, outside: str) -> GridArchive:
    archive = GridArchive(Objective("score", direction, 0, 1, ""), AXES, outside)
    metrics = {"score": np.array([0.25, 0.75]), "x": np.array([0.1, 1.9]), "y": np.array([2.0, 2.0])}
    archive.add([1, 2], [1, 2], metrics, [None, None])
    return archive


@pytest.mark.parametrize(
    ("direction", "expected"), [("maximise", [0.25, 0.75, 0.0]), ("minimise", [-0.25, -0.75, -1.0])]
)
def test_it_is_the_elite_or_the_worst_value(direction: str, expected: list[float]) -> None:
    cells, values = filled(direction, "drop").to_beat(PLACES)
    assert cells.tolist() == [0, 2, 1, -1, -1]
    assert values.tolist() == [*expected, np.inf, np.inf]


def test_where_the_outside_is_clipped_it_belongs_to_the_border() -> None:
    cells, values = filled("maximise", "clip").to_beat(PLACES)
    assert cells.tolist() == [0, 2, 1, 2, 0]
    assert values.tolist() == [0.25, 0.75, 0.0, 0.75, 0.25]
