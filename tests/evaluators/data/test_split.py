"""Splits: by seed, by class, by group, by time or as given; nothing is in two parts, and nothing equal either."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evaluators.data import FREE, Part, Split
from evaluators.data.digits import Digits
from evaluators.data.split import equal_rows, split_rows

SIZE = 100
INPUTS = np.random.default_rng(0).normal(size=(SIZE, 3))
CLASSES = np.repeat([0, 1, 2], [70, 25, 5])


def rows(split: Split, **given) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = split_rows(split, **{"inputs": INPUTS, "classes": CLASSES, **given})
    assert all(part.dtype == np.int64 for part in found)
    assert len(np.unique(np.concatenate(found))) == sum(map(len, found)), "an example is in two parts"
    return found


def test_digits_are_whole():
    everything = Digits().read()
    assert everything.inputs.shape == (Digits.examples, *Digits.image_shape)
    assert everything.inputs.dtype == np.uint8 and everything.targets.dtype == np.int64
    assert everything.inputs[:].max() == 16 and set(everything.targets) == set(range(10))
    assert [len(Digits().splits().part(part)) for part in Part] == [1151, 287, 359]


def test_one_seed_one_split():
    first, again, other = rows(Split(seed=3)), rows(Split(seed=3)), rows(Split(seed=4))
    assert list(map(len, first)) == [64, 16, 20]
    for part, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert set(first[2]) != set(other[2])


@pytest.mark.parametrize("by", ["random", "stratified"])
def test_fewer_training_examples_change_neither_validation_nor_test(by):
    all_, some = rows(Split(by)), rows(Split(by, train=40))
    np.testing.assert_array_equal(some[0], all_[0][:40])
    np.testing.assert_array_equal(some[1], all_[1])
    np.testing.assert_array_equal(some[2], all_[2])


def test_sizes_are_numbers_or_shares():
    assert list(map(len, rows(Split(validation=7, test=11)))) == [82, 7, 11]
    assert list(map(len, rows(Split(validation=0.25, test=0.2)))) == [60, 20, 20]


def test_classes_are_spread_evenly():
    for part, share in zip(rows(Split("stratified")), (0.64, 0.16, 0.2), strict=True):
        counts = np.bincount(CLASSES[part], minlength=3)
        assert (np.abs(counts - share * np.array([70, 25, 5])) <= 1).all()


def test_groups_stay_together():
    groups = np.repeat(np.arange(20), 5)
    parts = rows(Split("group", "person"), groups=groups, classes=None)
    people = [set(groups[part]) for part in parts]
    assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])
    assert list(map(len, parts)) == [60, 20, 20]


def test_the_latest_are_for_the_test():
    times = np.random.default_rng(1).permutation(SIZE)
    train, validation, test = rows(Split("time", "day", train=30), times=times, classes=None)
    assert times[train].tolist() == list(range(34, 64)), "those next to what they are judged on, in their order"
    assert (set(times[validation]), set(times[test])) == (set(range(64, 80)), set(range(80, 100)))


def test_given_parts_stay_as_they_are():
    parts = np.full(SIZE, FREE, np.int8)
    parts[90:] = Part.TEST
    for seed in (0, 1):
        found = rows(Split(seed=seed), parts=parts, classes=None)
        assert list(map(len, found)) == [72, 18, 10]
        assert sorted(found[2]) == list(range(90, 100))
    parts[:50], parts[50:90] = Part.TRAIN, Part.VALIDATION
    assert list(map(len, rows(Split(), parts=parts, classes=None))) == [50, 40, 10]


def test_equal_examples_stay_together():
    inputs = INPUTS[np.arange(SIZE) % 60]
    parts = rows(Split(), inputs=inputs, classes=None)
    seen = [{row.tobytes() for row in inputs[part]} for part in parts]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert equal_rows(inputs).tolist() == (np.arange(SIZE) % 60).tolist()
    few = INPUTS[np.arange(SIZE) % 30]
    assert list(map(len, rows(Split(), inputs=few, classes=None))) == [64, 16, 20], "most have an equal one"


@pytest.mark.parametrize(
    ("split", "given", "message"),
    [
        (
            lambda: Split(train=65),
            {},
            r"split\.train: expected 65 examples, and 64 are left beside 16 for",
        ),
        (lambda: Split(validation=80), {}, r"split\.validation: expected fewer than the 80 examples .*, got 80"),
        (lambda: Split(test=100), {}, r"split\.test: expected fewer than the 100 examples"),
        (lambda: Split(train=0), {}, r"split\.train: expected at least 1"),
        (
            lambda: Split(validation=1.5),
            {},
            r"split\.validation: expected a number of examples, or a share",
        ),
        (lambda: Split(by="group"), {}, r"split\.column: is needed, and split.by is group"),
        (lambda: Split(column="x"), {}, r"split\.column: is there, and split.by is not said"),
        (lambda: Split("time", "x"), {}, "time needs a column of times"),
        (lambda: Split("group", "x"), {}, "group needs a column of groups"),
        (lambda: Split("stratified"), {"classes": None}, "stratified needs classes"),
        (lambda: Split(test=3), {"parts": np.repeat([0, 2], 50)}, r"split\.test: the data set says itself"),
        (
            lambda: Split("column", "part"),
            {"parts": np.repeat([0, 1, 2], [70, 20, 10]), "class_names": ("ant", "bee", "cat")},
            "bee: 0 for training, 20 for validation, 5 for the test; cat: 0 for training, 0 for validation, 5 for the",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(split: Callable[[], Split], given, message):
    with pytest.raises(ValueError, match=message):
        rows(split(), **given)
