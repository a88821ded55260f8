import pytest

from qd.training import TrainingOptions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"optimiser": "adma"}, "optimiser: expected one of adam, adamw, sgd, got 'adma'"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number above 0, got 0.0"),
        ({"weight_decay": float("nan")}, "weight_decay: expected a number of at least 0, got nan"),
        ({"schedule": "step"}, "schedule: expected one of constant, cosine, got 'step'"),
    ],
)
def test_bad_options_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**{"epochs": 1, "batch_size": 1, **change})


def test_fidelity_scales_the_steps_down_to_one():
    options = TrainingOptions(epochs=3, batch_size=10)
    assert options.steps(105) == 30
    assert options.steps(105, 0.5) == 15
    assert options.steps(105, 1e-6) == 1
    assert options.steps(4) == 3  # fewer examples than a minibatch


def test_schedules():
    constant = TrainingOptions(1, 1, learning_rate=0.5)
    assert {constant.learning_rate_at(step, 8) for step in range(8)} == {0.5}
    cosine = TrainingOptions(1, 1, learning_rate=0.5, schedule="cosine")
    rates = [cosine.learning_rate_at(step, 8) for step in range(8)]
    assert rates[0] == 0.5 and rates[4] == pytest.approx(0.25) and 0 < rates[-1] < 0.03
    assert rates == sorted(rates, reverse=True)
