import numpy as np
import pytest

from evaluators.data import Examples, Part
from evaluators.data.digits import Digits
from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.mnist import MNIST
from evaluators.task_stream.tasks import PATTERNS, ImageTask, Sizes, load, task_of
from qd.testing.toys.stripes import Stripes

DIGITS = Digits()
SIZES = Sizes(train=50, validation=30, test=1000, shrink=1, seed=0)


def pairs_of(part: Examples):
    """Images and labels, one by one."""
    return zip(part.inputs[:], part.targets, strict=True)


def parts(sizes: Sizes = SIZES, **changes):
    return load(ImageTask(DIGITS, **changes), sizes)


def test_images_lie_between_0_and_1_and_parts_are_apart():
    plain = parts()
    assert [len(plain.part(part)) for part in Part] == [50, 30, 359]  # a fifth of the 1,797 are for tests
    rows = [{image.tobytes() for image in plain.part(part).inputs[:]} for part in Part]
    assert rows[0].isdisjoint(rows[1] | rows[2]) and rows[1].isdisjoint(rows[2])
    assert plain.train.inputs[:].min() == 0 and plain.train.inputs[:].max() == 1
    assert plain.train.inputs[:].shape[1:] == task_of(ImageTask(DIGITS), 1).input_shape


def test_inverted_and_noisy_images_keep_their_labels():
    plain, inverted, noisy = parts(), parts(inverted=True), parts(noise=0.2)
    np.testing.assert_allclose(inverted.train.inputs[:], 1 - plain.train.inputs[:])
    for other in (inverted, noisy):
        np.testing.assert_array_equal(other.train.targets, plain.train.targets)
    difference = noisy.train.inputs[:] - plain.train.inputs[:]
    assert 0.05 < difference.std() < 0.2  # less than 0.2, as pixels stay within their range
    assert noisy.train.inputs[:].min() >= 0 and noisy.train.inputs[:].max() <= 1


def test_classes_are_numbered_anew():
    task = ImageTask(DIGITS, classes=(7, 2, 4), permutation=1)
    some = load(task, SIZES)
    assert set(some.train.targets) == {0, 1, 2} and task_of(task, 1).outputs == 3
    everything = load(ImageTask(DIGITS), Sizes(1000, 30, 1000, 1, 0))
    original = {image.tobytes(): label for image, label in pairs_of(everything.train)}
    found = {(int(new), int(original[image.tobytes()])) for image, new in pairs_of(some.train)}
    assert len(found) == 3 and {old for _, old in found} == {7, 2, 4}
    assert all(task.class_names[new] == str(old) for new, old in found)


def test_permutations_change_what_labels_mean_and_not_the_images():
    plain, permuted = parts(), parts(permutation=3)
    np.testing.assert_array_equal(plain.train.inputs[:], permuted.train.inputs[:])
    pairs = set(zip(plain.train.targets.tolist(), permuted.train.targets.tolist(), strict=True))
    assert len(pairs) == 10 and any(a != b for a, b in pairs)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pairs_are_judged_by_their_pattern(pattern):
    task = ImageTask(DIGITS, pair=pattern)
    pairs = load(task, Sizes(200, 30, 100, 1, 0))
    assert pairs.train.inputs[:].shape == (200, 1, 8, 16) == (200, *task_of(task, 1).input_shape)
    assert task_of(task, 1).outputs == 2 and task.class_names == ("false", "true")
    everything = load(ImageTask(DIGITS), Sizes(1100, 30, 100, 1, 0))
    label = {image.tobytes(): value for image, value in pairs_of(everything.train)}
    judged = {"and": all, "or": any, "xor": lambda two: sum(two) == 1}
    judged |= {"nand": lambda two: not all(two), "nor": lambda two: not any(two), "xnor": lambda two: sum(two) != 1}
    seen = 0
    for image, answer in pairs_of(pairs.train):
        sides = [np.ascontiguousarray(image[:, :, :8]).tobytes(), np.ascontiguousarray(image[:, :, 8:]).tobytes()]
        if all(side in label for side in sides):
            seen += 1
            assert bool(answer) == judged[pattern]([label[side] >= 5 for side in sides])
    assert seen > 100


def test_shrinking_averages_squares():
    plain, small = parts(), parts(Sizes(50, 30, 1000, 2, 0))
    assert small.train.inputs[:].shape == (50, 1, 4, 4)
    np.testing.assert_allclose(
        small.train.inputs[:][3, 0, 1, 2], plain.train.inputs[:][3, 0, 2:4, 4:6].mean(), rtol=1e-6
    )


def test_names_say_what_a_task_is():
    task = ImageTask(MNIST(), classes=(0, 1), permutation=4, inverted=True, noise=0.25, pair="xor")
    assert task.name == "mnist_01_permuted4_inverted_noisy25_pair_xor"
    assert ImageTask(FashionMNIST()).name == "fashion_mnist"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": (1,)}, r"classes: expected two or more different ones, got \[1\]"),
        ({"classes": (1, 1, 2)}, "classes: expected two or more different ones"),
        ({"classes": (1, 12)}, "classes: expected numbers from 0 to 9"),
        ({"noise": 2.0}, r"noise: expected a standard deviation in \[0, 1\], got 2.0"),
        ({"permutation": -1}, "permutation: expected a seed of at least 0, got -1"),
    ],
)
def test_impossible_tasks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ImageTask(DIGITS, **changes)


def test_a_task_has_the_shape_and_the_classes_of_its_data():
    task = ImageTask(Stripes(noise=0), permutation=1)
    assert (task.name, task_of(task, 2).input_shape, task_of(task, 2).outputs) == ("stripes_permuted1", (1, 3, 3), 2)
    assert task_of(ImageTask(Stripes(), pair="and"), 1).input_shape == (1, 6, 12)
    found = load(task, Sizes(100, 30, 1000, 1, 0))
    assert [len(found.part(part)) for part in Part] == [100, 30, 50]
    np.testing.assert_allclose(np.unique(found.train.inputs[:]), [0, 150 / 255], rtol=1e-6)
    with pytest.raises(ValueError, match=r"classes: expected numbers from 0 to 1, got \[0, 2\]"):
        ImageTask(Stripes(), classes=(0, 2))
