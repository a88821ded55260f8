"""Together, models are as good as the best of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qd.surrogates.additive import Additive
from qd.surrogates.combined import Combined
from qd.surrogates.forest import Forest
from qd.surrogates.process import Process


def steps(rows: np.ndarray) -> np.ndarray:
    return 3.0 * ((rows[:, 0] > 0.7) & (rows[:, 1] > 0.4)) + 2.0 * (rows[:, 2] > 0.8)


def line(rows: np.ndarray) -> np.ndarray:
    return rows @ np.arange(1.0, 9.0)


@pytest.mark.parametrize("function", [steps, line])
def test_it_is_as_good_as_its_best_model(function: Callable[[np.ndarray], np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    rows, new = rng.random((150, 8)), rng.random((1000, 8))
    values = function(rows) + rng.normal(0, 0.2, len(rows))
    errors = {}
    for model in (Combined(32), Forest(32), Additive(), Process()):
        model.fit(rows, values)
        errors[type(model)] = np.sqrt(((model.predict(new).mean - function(new)) ** 2).mean())
    combined = errors.pop(Combined)
    assert combined < 1.1 * min(errors.values())
    assert combined < 0.6 * max(errors.values())
