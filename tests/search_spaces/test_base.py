"""What tasks and metrics are declared with is taken as plain numbers, or refused."""

from typing import Any

import numpy as np
import pytest

from search_spaces import Metric, Task


@pytest.mark.parametrize("shape", [[1, 8, 8], (np.int64(1), 8, np.int32(8)), np.array([1, 8, 8])])
def test_a_task_holds_whole_numbers_of_python(shape: Any) -> None:
    task = Task(shape, np.int64(10))  # pyright: ignore[reportArgumentType]
    assert task == Task((1, 8, 8), 10)
    assert {*map(type, task.input_shape), type(task.outputs)} == {int}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, 10), "expected whole numbers as input_shape and outputs, got 8 and 10"),
        (((8.5,), 10), "expected whole numbers"),
        (((8,), 10.0), "expected whole numbers"),
        (((8,), 0), "expected sizes of at least 1"),
        (((8,), 2, "hinge"), "expected the loss 'cross_entropy' or 'mean_squared_error', got 'hinge'"),
    ],
)
def test_a_task_that_is_none_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^Task: .*{message}"):
        Task(*arguments)


def test_a_metric_holds_floats_of_python() -> None:
    metric = Metric(None, np.float32(0), np.int64(1))  # pyright: ignore[reportArgumentType]
    assert metric == Metric("", 0, 1)
    assert (type(metric.low), type(metric.high)) == (float, float)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"low": float("nan")}, "expected low < high, got nan"),
        ({"low": "0"}, "expected a number as low, got '0'"),
        ({"high": None}, "expected a number as high, got None"),
        ({"low": 1, "high": 1}, "expected low < high"),
        ({"unit": 5}, "expected a text as unit, got 5"),
        ({"direction": "maximize"}, "'maximise' or 'minimise', got 'maximize'"),
    ],
)
def test_a_metric_that_is_none_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^Metric: .*{message}"):
        Metric(**keys)
