"""Learning curves as they are drawn: parts of one training are one curve."""

import numpy as np

from qd.analysis.learning_curves import LearningCurve, joined
from qd.candidates import Curve


def curve(candidate: int, evaluation: int, epochs: list[float], elite: bool = False, **scores: list[float]):
    columns = {name: np.array(values) for name, values in scores.items()}
    return LearningCurve(candidate, evaluation, elite, evaluation / 10, Curve(np.array(epochs), columns))


def test_a_network_that_goes_on_has_one_curve():
    whole = joined(
        [
            curve(1, 1, [1], a=[0.1]),
            curve(2, 2, [1], a=[0.2]),
            curve(1, 3, [2, 3], a=[0.3, 0.4]),
            curve(1, 4, [4, 4.5], True, a=[0.5, 0.6], b=[1.0, 2.0]),
        ]
    )
    assert [(one.candidate, one.evaluation, one.elite, one.objective) for one in whole] == [
        (2, 2, False, 0.2),
        (1, 4, True, 0.4),
    ]
    found = whole[1].curve
    assert found.epochs.tolist() == [1, 2, 3, 4, 4.5]
    assert found.scores["a"].tolist() == [0.1, 0.3, 0.4, 0.5, 0.6]
    np.testing.assert_array_equal(found.scores["b"], [np.nan, np.nan, np.nan, 1, 2])


def test_trainings_from_the_beginning_stay_apart():
    again = [curve(1, 1, [1, 2], a=[0.1, 0.2]), curve(1, 2, [1, 2, 3], a=[0.2, 0.3, 0.4]), curve(3, 3, [4], a=[0.1])]
    assert joined(again) == again
