import pytest

from qd.errors import UsageError
from qd.registry import Registry
from qd.training import Augmentation, EarlyStopping, TrainingOptions
from search_spaces import Task
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Values, Vector


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"optimiser": "adma"}, "optimiser: expected one of adam, adamw, sgd, got 'adma'"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number above 0, got 0.0"),
        ({"weight_decay": float("nan")}, "weight_decay: expected a number of at least 0, got nan"),
        ({"schedule": "step"}, "schedule: expected one of constant, cosine, got 'step'"),
        ({"label_smoothing": 1.0}, r"label_smoothing: expected a number in \[0, 1\), got 1.0"),
        ({"clip": 0.0}, "clip: expected a number above 0, got 0.0"),
        ({"class_weights": "yes"}, "class_weights: expected one of none, balanced, got 'yes'"),
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
    constant = TrainingOptions(1, 1, learning_rate=0.5, schedule="constant")
    assert {constant.learning_rate_at(step, 8) for step in range(8)} == {0.5}
    cosine = TrainingOptions(1, 1, learning_rate=0.5, schedule="cosine")
    rates = [cosine.learning_rate_at(step, 8) for step in range(8)]
    assert rates[0] == 0.5 and rates[4] == pytest.approx(0.25) and 0 < rates[-1] < 0.03
    assert rates == sorted(rates, reverse=True)


TEXT = Task(Tokens(8, 30), NextToken(30))
IMAGES = Task(Image(1, 8, 6), Classes(3))
SERIES = Task(Series(20, 3), Classes(3))


@pytest.mark.parametrize(
    ("options", "task", "message"),
    [
        (
            TrainingOptions(label_smoothing=0.1),
            Task(Vector(5), Values(2)),
            r"^training.label_smoothing: is for classes and tokens, and the outputs of this task are Values\(count=2\)",
        ),
        (TrainingOptions(class_weights="balanced"), Task(Vector(5), Values(2)), "class_weights: .* Values"),
        (TrainingOptions(class_weights="balanced"), TEXT, "^training.class_weights: is for classes, .* NextToken"),
        (
            TrainingOptions(augmentation=Augmentation(jitter=0.1)),
            IMAGES,
            r"^training.augmentation.jitter: is for series, and the inputs of this task are"
            r" Image\(channels=1, height=8, width=6\); leave it out \(this task takes crop, flip, noise\)",
        ),
        (TrainingOptions(augmentation=Augmentation(flip=True)), SERIES, "flip: is for images.*takes jitter, scale"),
        (
            TrainingOptions(augmentation=Augmentation(scale=0.1)),
            TEXT,
            r"scale: is for series.*\(none suits this",
        ),
        (TrainingOptions(augmentation=Augmentation(crop=6)), IMAGES, r"crop: expected fewer .* \(8 by 6\), got 6"),
    ],
)
def test_what_does_not_suit_a_task_is_refused(options, task, message):
    with pytest.raises(ValueError, match=message):
        options.check_task(task)


def test_what_suits_a_task_is_taken():
    TrainingOptions(label_smoothing=0.1, class_weights="balanced").check_task(IMAGES)
    TrainingOptions(label_smoothing=0.1, clip=1.0, early_stopping=EarlyStopping(1)).check_task(TEXT)
    TrainingOptions(augmentation=Augmentation(2, True, 0.1)).check_task(IMAGES)
    TrainingOptions(augmentation=Augmentation(jitter=0.1, scale=0.2)).check_task(SERIES)


def test_only_learning_rate_and_decay_may_differ_in_a_stack():
    some = TrainingOptions(early_stopping=EarlyStopping(3), augmentation=Augmentation(flip=True))
    assert some.with_overrides({"learning_rate": 0.1, "weight_decay": 0.2}).shape() == some.shape()
    others: list[dict] = [{"clip": 1.0}, {"early_stopping": EarlyStopping(4)}, {"augmentation": None}, {"epochs": 2}]
    assert len({some.shape(), *(TrainingOptions(**{**vars(some), **change}).shape() for change in others)}) == 5


def construct(**training):
    return Registry().construct(TrainingOptions, training, "evaluator.training")


def test_run_files_nest_them():
    options = construct(early_stopping={"patience": 3}, augmentation={"crop": 1, "noise": 1}, clip=1)
    assert options == TrainingOptions(early_stopping=EarlyStopping(3), augmentation=Augmentation(1, noise=1.0), clip=1)
    assert construct(early_stopping=None, clip=None) == TrainingOptions()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"early_stopping": {"patiense": 3}}, "early_stopping.patiense: unknown key; did you mean 'patience'?"),
        ({"early_stopping": {}}, "early_stopping.patience: this key is missing"),
        ({"early_stopping": 3}, "early_stopping: .*got 3"),
        ({"early_stopping": {"patience": 0}}, "early_stopping: patience: expected at least 1, got 0"),
        ({"early_stopping": {"patience": "3"}}, "early_stopping.patience: .*valid integer, got '3'"),
        ({"augmentation": {"flip": 1}}, "augmentation.flip: .*got 1"),
        ({"augmentation": {"noise": -1}}, "augmentation: noise: expected a number of at least 0, got -1"),
    ],
)
def test_run_files_with_mistakes_in_them_are_told(keys, message):
    with pytest.raises(UsageError, match=f"^evaluator.training.{message}"):
        construct(**keys)
