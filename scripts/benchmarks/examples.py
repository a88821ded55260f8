"""Data sets that benchmarks train on, which need no download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.data import DataSet, Examples, Split
from evaluators.preprocessing import Preprocessing, Standardise
from search_spaces import Task
from search_spaces.task import Classes, Series, Vector


@dataclass(frozen=True)
class BreastCancer(DataSet):
    """A table: 569 tumours with 30 numbers each, benign or malignant (scikit-learn's copy of UCI's)."""

    name = "breast cancer"
    stratified = True

    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Vector(30), Classes(2))

    def read(self) -> Examples:
        from sklearn.datasets import load_breast_cancer

        numbers, labels = load_breast_cancer(return_X_y=True)
        return Examples(np.asarray(numbers, np.float32), np.asarray(labels, np.int64))

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:])


@dataclass(frozen=True)
class Sines(DataSet):
    """Series of two channels and 48 steps: sines of five frequencies in noise, which are to be told.

    Args:
        split: how they are split.
        examples: of all classes together.
        noise: its standard deviation; the sines' amplitude is 1.
    """

    name = "sines"
    stratified = True

    split: Split = Split()
    examples: int = 2000
    noise: float = 1.0

    @property
    def task(self) -> Task:
        return Task(Series(48, 2), Classes(5))

    def read(self) -> Examples:
        rng = np.random.default_rng(0)
        classes = rng.integers(0, 5, self.examples)
        phase = rng.uniform(0, 2 * np.pi, (self.examples, 1, 2))
        time = np.linspace(0, 2 * np.pi, 48)[None, :, None]
        series = np.sin((2 + classes[:, None, None]) * time + phase) + self.noise * rng.normal(size=(len(phase), 48, 2))
        return Examples(series.astype(np.float32), classes)

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:])
