"""A forest says what it expects, and how surely."""

import numpy as np
import pytest

from qd.surrogates.base import FEWEST_ROWS
from qd.surrogates.forest import Forest


def table(n: int, seed: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.random((n, 4))
    return rows, np.sin(4 * rows[:, 0]) + rows[:, 1] * rows[:, 2] + rng.normal(0, noise, n)


@pytest.fixture(scope="module", params=[0.0, 0.3])
def fitted(request: pytest.FixtureRequest) -> tuple[Forest, float]:
    forest = Forest()
    forest.fit(*table(400, 0, request.param))
    return forest, request.param


def test_it_predicts_what_it_has_not_seen(fitted: tuple[Forest, float]) -> None:
    forest, _ = fitted
    rows, values = table(500, 1)
    assert np.corrcoef(forest.predict(rows).mean, values)[0, 1] > 0.9


@pytest.mark.parametrize("exponent", [-1000, -40, 40, 1000])
def test_it_learns_in_any_unit(exponent: int) -> None:
    rows, values = table(100, 0, 0.1)
    one, other = Forest(trees=8), Forest(trees=8)
    one.fit(rows, values)
    other.fit(rows, np.ldexp(values, exponent))
    for expected, found in zip(one.predict(rows), other.predict(rows), strict=True):
        np.testing.assert_array_equal(np.ldexp(expected, exponent), found)
    assert one.explained == other.explained


def test_its_deviation_is_the_error_that_it_makes_noise_included(fitted: tuple[Forest, float]) -> None:
    forest, noise = fitted
    rows, values = table(2000, 2, noise)
    mean, deviation = forest.predict(rows)
    distance = np.abs(values - mean) / deviation
    assert 0.85 < np.sqrt((distance**2).mean()) < 1.2
    assert 0.85 < (distance < 1.645).mean() < 0.96


def test_what_it_explains_is_estimated_on_rows_that_trees_have_not_seen(fitted: tuple[Forest, float]) -> None:
    forest, noise = fitted
    rows, values = table(2000, 3, noise)
    errors = forest.predict(rows).mean - values
    assert forest.explained == pytest.approx(1 - (errors**2).mean() / values.var(), abs=0.06)


def test_equal_rows_give_equal_forests() -> None:
    first, second = Forest(), Forest()
    for forest in (first, second):
        forest.fit(*table(100, 0))
    rows, _ = table(50, 1)
    for one, other in zip(first.predict(rows), second.predict(rows), strict=True):
        assert np.array_equal(one, other)


def test_few_rows_and_a_constant_are_no_trouble() -> None:
    forest = Forest()
    rows, _ = table(FEWEST_ROWS, 0)
    forest.fit(rows, np.full(FEWEST_ROWS, 3.0))
    mean, deviation = forest.predict(rows)
    assert mean == pytest.approx(3)
    assert deviation == pytest.approx(0)
    assert forest.explained == 0
