"""Data sets keep the contract, and the suite notices those that do not."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import numpy as np
import pytest

from evaluators.data.digits import Digits
from evaluators.data.images import ImageData, Part, split
from qd.testing import DataConformance


class TestDigits(DataConformance):
    @pytest.fixture
    def data(self) -> Digits:
        return Digits()


@dataclass(frozen=True)
class Stripes(ImageData):
    """Upright and lying stripes; the last ten are the published test."""

    name = "stripes"
    image_shape = (1, 4, 4)
    class_names = ("upright", "lying")
    examples = 60
    published_test = 10

    def load(self) -> Part:
        labels = np.arange(self.examples) % 2
        upright = np.tile(np.array([0, 200], np.uint8), (4, 2))
        images = np.stack([upright.T if label else upright for label in labels.tolist()])[:, None]
        images[:, 0, 0, 0] = np.arange(self.examples)
        return Part(images, labels)


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
        part = super().load()
        return Part(part.images / np.float32(255), part.labels)


class CountsFromOne(Stripes):
    def load(self):
        part = super().load()
        return Part(part.images, part.labels + 1)


class Fewer(Stripes):
    def load(self):
        return super().load().take(np.arange(50))


class OneClass(Stripes):
    def load(self):
        part = super().load()
        return Part(part.images, np.zeros_like(part.labels))


class OtherTask(Stripes):
    @property
    def task(self):
        from search_spaces import Task

        return Task(self.image_shape, 3, "cross_entropy")


class Shuffles(Stripes):
    def load(self):
        return super().load().take(np.random.permutation(self.examples))


@pytest.mark.parametrize(
    ("data", "test"),
    [
        (OneName, "declares_what_it_holds"),
        (Dark, "holds_what_it_declares"),
        (Floats, "holds_what_it_declares"),
        (CountsFromOne, "holds_what_it_declares"),
        (Fewer, "holds_what_it_declares"),
        (OneClass, "every_class_has_an_example"),
        (OtherTask, "the_task_is_to_tell_the_classes_apart"),
        (Shuffles, "loads_the_same_each_time"),
        (Shuffles, "a_published_test_split_stays_as_it_is"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_data_set_is_noticed(data: type[Stripes], test: str) -> None:
    split.cache_clear()
    made = data()
    given = {"data": made, "everything": made.load()}
    method = getattr(DataConformance(), f"test_{test}")
    with pytest.raises(AssertionError, match=r"assert|two classes|images are|pixels go|a label|Arrays are not equal"):
        method(**{name: given[name] for name in inspect.signature(method).parameters})
    split.cache_clear()
