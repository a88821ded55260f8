"""What tasks and metrics are declared with is taken as plain numbers, or refused."""

from typing import Any

import numpy as np
import pytest

from search_spaces import Metric


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
