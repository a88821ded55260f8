"""What every set of labelled images must do."""

from __future__ import annotations

import numpy as np
import pytest

from evaluators.data.images import ImageData, Part, split, split_sizes
from search_spaces import Task


class DataConformance:
    """The contract of `ImageData`, as tests. Give the `data`; it is loaded a few times, so give it few files.

    class TestMyImages(DataConformance):
        @pytest.fixture
        def data(self):
            return MyImages()
    """

    @pytest.fixture
    def data(self) -> ImageData:
        """The data set under test."""
        raise NotImplementedError("give the suite a fixture `data` that returns your data set")

    @pytest.fixture
    def everything(self, data: ImageData) -> Part:
        """All of it."""
        return data.load()

    def test_declares_what_it_holds(self, data: ImageData) -> None:
        data.check()
        assert data.name and isinstance(data.name, str)
        assert data.licence and isinstance(data.licence, str), "say `not stated` where it is not known"
        assert len(data.image_shape) == 3 and all(size >= 1 for size in data.image_shape), "(channels, height, width)"
        assert len(data.class_names) >= 2, "classification needs two classes at least"
        assert len(set(data.class_names)) == len(data.class_names), "two classes have one name"
        assert all(isinstance(name, str) and name for name in data.class_names)
        assert 0 <= data.published_test < data.examples

    def test_holds_what_it_declares(self, data: ImageData, everything: Part) -> None:
        assert everything.images.shape == (data.examples, *data.image_shape)
        assert everything.images.dtype == np.uint8, f"images are uint8, got {everything.images.dtype}"
        assert everything.images.max() <= data.brightest, f"pixels go up to {data.brightest}, as `brightest` says"
        assert everything.labels.shape == (data.examples,)
        assert everything.labels.dtype == np.int64, f"labels are int64, got {everything.labels.dtype}"
        assert everything.labels.min() >= 0
        assert everything.labels.max() < len(data.class_names), "a label has no name"

    def test_every_class_has_an_example(self, data: ImageData, everything: Part) -> None:
        assert set(everything.labels.tolist()) == set(range(len(data.class_names)))

    def test_the_task_is_to_tell_the_classes_apart(self, data: ImageData) -> None:
        assert data.task == Task(data.image_shape, len(data.class_names), "cross_entropy")

    def test_loads_the_same_each_time(self, data: ImageData, everything: Part) -> None:
        again = data.load()
        np.testing.assert_array_equal(again.images, everything.images)
        np.testing.assert_array_equal(again.labels, everything.labels)

    def test_equal_ones_hash_alike(self, data: ImageData) -> None:
        assert data == data
        assert hash(data) == hash(data), "splits of equal data sets are kept: it needs a hash"

    def test_splits_hold_every_example_once(self, data: ImageData, everything: Part) -> None:
        parts = split(data, 0)
        assert tuple(len(part.labels) for part in parts) == split_sizes(data, None, None)
        counted = np.sum([np.bincount(part.labels, minlength=len(data.class_names)) for part in parts], axis=0)
        assert counted.tolist() == np.bincount(everything.labels, minlength=len(data.class_names)).tolist()

    def test_a_published_test_split_stays_as_it_is(self, data: ImageData, everything: Part) -> None:
        if not data.published_test:
            pytest.skip("no test split is published")
        for seed in (0, 1):
            np.testing.assert_array_equal(split(data, seed).test.images, everything.images[-data.published_test :])
