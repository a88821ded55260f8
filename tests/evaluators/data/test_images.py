import numpy as np
import pytest

from evaluators.data import split, split_sizes
from evaluators.data.digits import Digits
from evaluators.data.fashion_mnist import FashionMNIST


def rows(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_digits_are_whole():
    images, labels = Digits().load()
    assert images.shape == (Digits.examples, *Digits.image_shape)
    assert images.dtype == np.uint8 and labels.dtype == np.int64
    assert images.max() == 16 and set(labels) == set(range(len(Digits.class_names)))


def test_splits_share_no_example_and_leave_none_out():
    parts = split(Digits(), 0)
    assert [len(part.labels) for part in parts] == list(split_sizes(Digits(), None, None)) == [1151, 287, 359]
    sets = [rows(part.images) for part in parts]
    everything = rows(Digits().load().images)
    assert set.union(*sets) == everything
    assert sum(map(len, sets)) == len(everything)


def test_one_seed_one_split():
    split.cache_clear()
    first = split(Digits(), 3)
    split.cache_clear()
    again, other = split(Digits(), 3), split(Digits(), 4)
    for part, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(part.images, same.images)
        np.testing.assert_array_equal(part.labels, same.labels)
    assert rows(first.test.images) != rows(other.test.images)


def test_fewer_training_examples_change_neither_validation_nor_test():
    all_, some = split(Digits(), 0, None, 200), split(Digits(), 0, 100, 200)
    np.testing.assert_array_equal(some.train.images, all_.train.images[:100])
    np.testing.assert_array_equal(some.validation.images, all_.validation.images)
    np.testing.assert_array_equal(some.test.images, all_.test.images)


@pytest.mark.parametrize(
    ("data", "train", "validation", "message"),
    [
        (Digits, 2000, None, r"train_examples: expected 1 to 1151 \(beside 287 for validation\), got 2000"),
        (Digits, 0, None, "train_examples: expected 1 to 1151"),
        (Digits, None, 1438, "validation_examples: expected 1 to 1437, got 1438"),
        (FashionMNIST, 60_000, 10_000, r"train_examples: expected 1 to 50000 \(beside 10000 for validation\)"),
    ],
)
def test_too_many_examples_are_refused(data, train, validation, message):
    with pytest.raises(ValueError, match=message):
        split_sizes(data, train, validation)
