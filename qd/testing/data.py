"""What every data set must do."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from evaluators.data import DataSet, Examples, LabelledImages, Part
from search_spaces import Task
from search_spaces.task import Classes, NextToken, Tokens, Values


class DataConformance:
    """The contract of `DataSet`, as tests. Give the `data`; it is read a few times, so give it few files.

    class TestMyData(DataConformance):
        @pytest.fixture
        def data(self):
            return MyData()
    """

    @pytest.fixture
    def data(self) -> DataSet:
        """The data set under test."""
        raise NotImplementedError("give the suite a fixture `data` that returns your data set")

    @pytest.fixture
    def everything(self, data: DataSet) -> Examples:
        """All of it."""
        return data.read()

    def test_declares_what_it_holds(self, data: DataSet) -> None:
        data.check()
        assert data.name and isinstance(data.name, str)
        assert data.licence and isinstance(data.licence, str), "say `not stated` where it is not known"
        assert isinstance(data.task, Task)
        if isinstance(data.task.output, Classes):
            assert len(data.class_names) == data.task.outputs >= 2, "classification needs names of two classes at least"
            assert len(set(data.class_names)) == len(data.class_names), "two classes have one name"
            assert all(isinstance(name, str) and name for name in data.class_names)

    def test_holds_what_it_declares(self, data: DataSet, everything: Examples) -> None:
        assert len(everything.inputs) == len(everything.targets) == len(everything)
        for given in (everything.parts, everything.groups, everything.times):
            assert given is None or len(given) == len(everything)
        output, targets = data.task.output, everything.targets
        if isinstance(output, Values):
            assert targets.shape == (len(everything), output.count)
            assert targets.dtype.kind == "f" and np.isfinite(targets).all(), "values are finite floats"
        else:
            tokens = isinstance(output, NextToken)
            assert targets.shape == ((len(everything), *data.task.input_shape) if tokens else (len(everything),))
            assert targets.dtype == np.int64, f"classes and tokens are int64, got {targets.dtype}"
            targets = data.targets(everything)  # tokens as the vocabulary numbers them
            assert targets.min() >= 0
            assert targets.max() < data.task.outputs, "a target is beyond the classes or the vocabulary"

    def test_images_are_those_that_are_declared(self, data: DataSet, everything: Examples) -> None:
        if not isinstance(data, LabelledImages):
            pytest.skip("it is no set of labelled images")
        images = everything.inputs[:]
        assert images.shape == (data.examples, *data.image_shape)
        assert images.dtype == np.uint8, f"images are uint8, got {images.dtype}"
        assert images.max() <= data.brightest, f"pixels go up to {data.brightest}, as `brightest` says"
        assert 0 <= data.published_test < data.examples

    def test_preprocessing_gives_what_the_task_says(self, data: DataSet, everything: Examples) -> None:
        inputs = data.preprocessing().apply(everything.inputs[:8])
        assert inputs.shape[1:] == data.task.input_shape
        assert inputs.dtype == (np.int64 if isinstance(data.task.input, Tokens) else np.float32)
        assert np.isfinite(inputs).all()
        if isinstance(data.task.input, Tokens):
            assert 0 <= inputs.min() and inputs.max() < data.task.input.vocabulary
        assert json.loads(json.dumps(data.preprocessing().plain(), allow_nan=False))["kind"]

    def test_every_class_has_an_example(self, data: DataSet, everything: Examples) -> None:
        if not isinstance(data.task.output, Classes):
            pytest.skip("there are no classes")
        assert set(everything.targets.tolist()) == set(range(len(data.class_names)))

    def test_reads_the_same_each_time(self, data: DataSet, everything: Examples) -> None:
        again = data.read()
        np.testing.assert_array_equal(again.inputs[:], everything.inputs[:])
        np.testing.assert_array_equal(again.targets, everything.targets)

    def test_equal_ones_hash_alike(self, data: DataSet) -> None:
        assert dataclasses.is_dataclass(data), "a kind of data is a frozen dataclass"
        assert data == dataclasses.replace(data)
        assert hash(data) == hash(dataclasses.replace(data)), "splits of equal data sets are kept: it needs a hash"

    def test_splits_hold_every_example_once(self, data: DataSet, everything: Examples) -> None:
        parts = [data.splits().part(part) for part in Part]
        assert all(len(part) for part in parts)
        assert sum(map(len, parts)) == len(everything)
        rows = np.concatenate([part.inputs[:].reshape(len(part), -1) for part in parts])
        whole = everything.inputs[:].reshape(len(everything), -1)
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(whole, axis=0))

    def test_a_given_test_split_stays_as_it_is(self, data: DataSet, everything: Examples) -> None:
        if everything.parts is None or not (everything.parts == Part.TEST).any():
            pytest.skip("no test split is given")
        for seed in (0, 1):
            other = dataclasses.replace(data, split=dataclasses.replace(data.split, seed=seed))  # pyright: ignore
            np.testing.assert_array_equal(
                other.splits().test.targets, everything.targets[everything.parts == Part.TEST]
            )
