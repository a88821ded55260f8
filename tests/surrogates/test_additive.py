"""A linear model learns at once what adds up, on its own scale or as logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from qd.surrogates import additive
from qd.surrogates.additive import Additive
from qd.surrogates.forest import Forest


def layers(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four layers, each of one of six kinds, one-hot; what each kind costs, added up."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(6, size=(n, 4))
    return np.eye(6)[kinds].reshape(n, 24), np.array([1.0, 2, 5, 10, 20, 60])[kinds].sum(axis=1)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_sums_are_learnt_at_once(logarithmic: bool) -> None:
    rows, sums = layers(50, 0)
    new, expected = layers(1000, 1)
    scale = np.log10 if logarithmic else np.asarray
    model, forest = Additive(logarithmic), Forest(32)
    for one in (model, forest):
        one.fit(rows, scale(sums))
    errors = [np.sqrt(((one.predict(new).mean - scale(expected)) ** 2).mean()) for one in (model, forest)]
    assert errors[0] < 0.05 * scale(expected).std()
    assert errors[1] > 0.3 * scale(expected).std()


def test_logarithms_that_add_up_themselves_are_learnt_as_they_are() -> None:
    rows, sums = layers(50, 0)
    new, expected = layers(1000, 1)
    found = []
    for logarithmic in (False, True):
        model = Additive(logarithmic)
        model.fit(rows, sums / 60)
        found.append(model.predict(new).mean)
    np.testing.assert_array_equal(*found)
    assert found[0] == pytest.approx(expected / 60, abs=0.1)


def test_a_sum_that_would_be_negative_has_a_logarithm_all_the_same() -> None:
    rows = np.repeat(np.eye(2), 10, axis=0)
    rows[0] = rows[10] = 0.5
    model = Additive(logarithmic=True)
    model.fit(rows, np.log10(100 * rows[:, 0] + 0.01))
    mean, deviation = model.predict(np.array([[-9.0, 9.0], [9.0, -9.0]]))
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()


def test_left_out_errors_are_those_of_models_that_were_fitted_without_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additive, "STRENGTHS", (1.0,))
    rows, sums = layers(40, 0)
    whole = Additive()
    whole.fit(rows, sums)
    for row in range(5):
        rest = np.delete(np.arange(40), row)
        part = Additive()
        part.fit(rows[rest], sums[rest])
        assert part.predict(rows[[row]]).mean[0] == pytest.approx(whole.unseen.mean[row], abs=1e-9)


def test_it_is_less_sure_of_what_it_has_not_seen() -> None:
    rows, sums = layers(60, 0)
    rows[:, 0] = rows[:, 6] = rows[:, 12] = rows[:, 18] = 0  # the first kind never stands anywhere
    model = Additive()
    model.fit(rows, sums + np.random.default_rng(1).normal(0, 1, 60))
    odd = rows[:1].copy()
    odd[0] += 3 * (rows[1] - rows[2])
    assert model.predict(odd).deviation[0] > 1.2 * model.predict(rows).deviation.mean()
