"""What holds for every model of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from qd.surrogates.additive import Additive
from qd.surrogates.base import FEWEST_ROWS, RowModel
from qd.surrogates.combined import Combined
from qd.surrogates.forest import Forest
from qd.surrogates.process import MOST_ROWS, Process

MODELS: dict[str, Callable[[], RowModel]] = {
    "forest": lambda: Forest(16),
    "additive": Additive,
    "process": Process,
    "combined": lambda: Combined(16),
}


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[[], RowModel]:
    return MODELS[request.param]


def table(n: int, seed: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Three options, two numbers, and a column that never varies; two terms add up, and two go together."""
    rng = np.random.default_rng(seed)
    option = rng.integers(3, size=n)
    rows = np.column_stack([np.eye(3)[option], rng.random(n), 100 * rng.random(n), np.ones(n)])
    values = 2.0 * option + rows[:, 4] / 50 + rows[:, 3] * (option == 1)
    return rows, values + rng.normal(0, noise, n)


def test_its_deviation_is_the_error_that_it_makes(make: Callable[[], RowModel]) -> None:
    model = make()
    model.fit(*table(300, 0))
    rows, values = table(2000, 1)
    mean, deviation = model.predict(rows)
    assert np.corrcoef(mean, values)[0, 1] > 0.9
    assert 0.85 < np.sqrt((((values - mean) / deviation) ** 2).mean()) < 1.2
    assert 0.85 < (np.abs(values - mean) < 1.645 * deviation).mean() < 0.95
    assert model.explained == pytest.approx(1 - ((values - mean) ** 2).mean() / values.var(), abs=0.05)


def test_what_it_says_of_rows_unseen_is_as_good_as_of_new_ones(make: Callable[[], RowModel]) -> None:
    model = make()
    rows, values = table(MOST_ROWS + 100, 2)
    model.fit(rows, values)
    new, expected = table(2000, 3)
    error = np.sqrt(((model.unseen.mean - values) ** 2).mean())
    assert error == pytest.approx(np.sqrt(((model.predict(new).mean - expected) ** 2).mean()), rel=0.12)
    assert np.sqrt((model.unseen.deviation**2).mean()) == pytest.approx(error, rel=0.05)


@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_it_learns_in_any_unit(make: Callable[[], RowModel], exponent: int) -> None:
    rows, values = table(60, 0)
    one, other = make(), make()
    one.fit(rows, values)
    other.fit(rows, np.ldexp(values, exponent))
    for expected, found in zip(one.predict(rows), other.predict(rows), strict=True):
        np.testing.assert_array_equal(np.ldexp(expected, exponent), found)
    assert one.explained == other.explained


def test_fitted_again_it_is_the_same_to_the_bit_on_any_number_of_threads(make: Callable[[], RowModel]) -> None:
    answers = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            model = make()
            model.fit(*table(250, 0))
            answers.append(np.stack([*model.predict(table(100, 1)[0]), *model.predict(table(100, 2)[0])]))
    np.testing.assert_array_equal(*answers)


def test_few_rows_and_a_constant_are_no_trouble(make: Callable[[], RowModel]) -> None:
    rows, values = table(FEWEST_ROWS, 0)
    for constant in (0.0, 3.0):
        model = make()
        model.fit(rows, np.full(len(values), constant))
        mean, deviation = model.predict(table(20, 1)[0])
        assert mean == pytest.approx(constant)
        assert deviation == pytest.approx(0, abs=1e-6)
        assert model.explained == 0
    model = make()
    model.fit(np.ones_like(rows), values)  # genotypes that are all alike
    assert model.predict(rows).mean == pytest.approx(values.mean(), abs=values.std())
    assert model.predict(rows).deviation.min() > 0
