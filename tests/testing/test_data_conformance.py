"""Data sets keep the contract, and the suite notices those that do not."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import numpy as np
import pytest

from evaluators.data import LabelledImages, Split
from evaluators.data.digits import Digits
from qd.testing import DataConformance
from search_spaces import Task
from search_spaces.task import Classes, Image


class TestDigits(DataConformance):
    @pytest.fixture
    def data(self) -> Digits:
        return Digits()


@dataclass(frozen=True)
class Stripes(LabelledImages):
    """Upright and lying stripes; the last ten are the published test."""

    name = "stripes"
    image_shape = (1, 4, 4)
    class_names = ("upright", "lying")
    examples = 60
    published_test = 10

    split: Split = Split()

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(self.examples) % 2
        upright = np.tile(np.array([0, 200], np.uint8), (4, 2))
        images = np.stack([upright.T if label else upright for label in labels.tolist()])[:, None]
        images[:, 0, 0, 0] = np.arange(self.examples)
        return images, labels


class TestStripes(DataConformance):
    @pytest.fixture
    def data(self) -> Stripes:
        return Stripes()


class OneName(Stripes):
    class_names = ("upright", "upright")


class Dark(Stripes):
    brightest = 100


class Floats(Stripes):
    def load(self):
        images, labels = super().load()
        return images / np.float32(255), labels


class CountsFromOne(Stripes):
    def load(self):
        images, labels = super().load()
        return images, labels + 1


class Fewer(Stripes):
    def load(self):
        images, labels = super().load()
        return images[:50], labels


class OneClass(Stripes):
    def load(self):
        images, labels = super().load()
        return images, np.zeros_like(labels)


class OtherTask(Stripes):
    @property
    def task(self):
        return Task(Image(1, 5, 4), Classes(2))


class Shuffles(Stripes):
    def load(self):
        images, labels = super().load()
        order = np.random.permutation(self.examples)
        return images[order], labels[order]


@pytest.mark.parametrize(
    ("data", "test"),
    [
        (OneName, "declares_what_it_holds"),
        (Dark, "images_are_those_that_are_declared"),
        (Floats, "images_are_those_that_are_declared"),
        (Fewer, "images_are_those_that_are_declared"),
        (CountsFromOne, "holds_what_it_declares"),
        (Fewer, "holds_what_it_declares"),
        (OneClass, "every_class_has_an_example"),
        (OtherTask, "preprocessing_gives_what_the_task_says"),
        (Shuffles, "reads_the_same_each_time"),
        (Shuffles, "a_given_test_split_stays_as_it_is"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_data_set_is_noticed(data: type[Stripes], test: str) -> None:
    made = data()
    given = {"data": made, "everything": made.read()}
    method = getattr(DataConformance(), f"test_{test}")
    said = r"assert|two classes|a target is beyond|images are|pixels go|Arrays are not equal"
    with pytest.raises(AssertionError, match=said):
        method(**{name: given[name] for name in inspect.signature(method).parameters})
