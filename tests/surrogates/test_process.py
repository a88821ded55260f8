"""A Gaussian process learns what genes do together."""

from __future__ import annotations

import numpy as np
import pytest

from qd.surrogates import process
from qd.surrogates.additive import Additive
from qd.surrogates.process import Process


def pairs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Signs of six genes; what they give goes in pairs."""
    rows = np.random.default_rng(seed).choice([0.0, 1.0], size=(n, 6))
    signs = 2 * rows - 1
    return rows, signs[:, 0] * signs[:, 1] + signs[:, 2] * signs[:, 3] + 0.5 * signs[:, 4]


def test_interactions_are_learnt_where_an_additive_model_finds_nothing() -> None:
    errors = []
    new, expected = pairs(500, 1)
    for model in (Process(), Additive()):
        model.fit(*pairs(60, 0))
        errors.append(((model.predict(new).mean - expected) ** 2).mean() / expected.var())
    assert errors[0] < 0.15
    assert errors[1] > 0.8


def test_left_out_errors_are_those_of_processes_that_were_fitted_without_the_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"MIXES": (0.3,), "LENGTHS": (1.0,), "NOISES": (0.1,)}.items():
        monkeypatch.setattr(process, name, value)
    rows, values = pairs(40, 0)
    whole = Process()
    whole.fit(rows, values)
    for row in range(5):
        part = Process()
        part.fit(np.delete(rows, row, axis=0), np.delete(values, row))
        assert part.predict(rows[[row]]).mean[0] == pytest.approx(whole.unseen.mean[row], abs=0.15)
