"""Expected improvement of the QD score."""

import numpy as np
import pytest
from scipy.stats import norm

from qd.archives import Axis, GridArchive, Objective
from qd.surrogates.acquisition import ExpectedImprovement
from qd.surrogates.base import Prediction


def archive(**elites: float) -> GridArchive:
    """Ten cells along x; "x3=0.5" fills the fourth. The range is of whole numbers, as a metric may give it."""
    made = GridArchive(Objective("score", "maximise", 0, 1, ""), [Axis("x", 0, 10, 10, "linear", "")])
    cells = np.array([int(name[1:]) for name in elites], dtype=np.float64)
    ids = list(range(1, len(cells) + 1))
    made.add(ids, ids, {"score": np.array(list(elites.values())), "x": cells + 0.5}, [None] * len(ids))
    return made


def predicted(*pairs: tuple[float, float]) -> Prediction:
    mean, deviation = np.array(pairs, dtype=np.float64).T
    return Prediction(mean, deviation)


def test_a_sure_candidate_gains_what_it_surpasses_the_elite_by() -> None:
    scores = predicted((0.7, 0), (0.7, 0), (0.7, 0), (0.7, 0))
    places = predicted((3.5, 0), (4.5, 0), (5.5, 0), (10.5, 0))
    improvement = ExpectedImprovement(archive(x3=0.6, x4=0.9), scores, [places])
    assert improvement.values == pytest.approx([0.1, 0, 0.7, 0])  # the fourth falls outside


def test_an_unsure_objective_gives_expected_improvement() -> None:
    improvement = ExpectedImprovement(archive(x3=0.6), predicted((0.5, 0.2)), [predicted((3.5, 0))])
    drawn = np.maximum(np.random.default_rng(0).normal(0.5, 0.2, 1_000_000) - 0.6, 0).mean()
    assert improvement.values[0] == pytest.approx(drawn, rel=0.01)


def test_an_unsure_place_is_weighed_by_the_chance_of_each_cell() -> None:
    improvement = ExpectedImprovement(archive(x3=0.6), predicted((0.6, 0)), [predicted((3.5, 1.0))])
    elsewhere = 2 * norm.cdf(-0.5)
    assert improvement.values[0] == pytest.approx(0.6 * elsewhere, abs=0.6 / 16)  # counted over 16 points


def test_what_is_chosen_together_does_not_chase_one_cell() -> None:
    scores = predicted((0.9, 0), (0.8, 0), (0.3, 0), (0.1, 0))
    places = predicted((3.5, 0), (3.5, 0), (5.5, 0), (7.5, 0))
    assert ExpectedImprovement(archive(), scores, [places]).choose(3).tolist() == [0, 2, 3]


def test_more_than_there_are_cannot_be_chosen() -> None:
    improvement = ExpectedImprovement(archive(), predicted((0.5, 0.1), (0.5, 0.1)), [predicted((1.5, 1), (2.5, 1))])
    assert sorted(improvement.choose(5).tolist()) == [0, 1]
