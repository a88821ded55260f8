"""A table for regression that comes with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from search_spaces import Task
from search_spaces.task import Values, Vector

from ..preprocessing import Preprocessing, Scaling, Standardise
from .base import DataSet, Examples
from .split import Split


@dataclass(frozen=True)
class Diabetes(DataSet):
    """442 patients: 10 measurements, and how far the disease had come a year later, 25 to 346 (Efron et al., 2004).

    Args:
        split: how they are split; no test split is published.
    """

    name = "diabetes"
    licence = "not stated (Efron, Hastie, Johnstone and Tibshirani, 2004, through scikit-learn)"

    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Vector(10), Values(1))

    def read(self) -> Examples:
        from sklearn.datasets import load_diabetes  # here: it takes a second to import

        inputs, targets = load_diabetes(return_X_y=True, scaled=False)
        return Examples(np.asarray(inputs, np.float32), np.asarray(targets, np.float64)[:, None])

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:], Scaling.of(train.targets))

    def place(self) -> Path:
        package = find_spec("sklearn")
        folder = Path(package.origin).parent / "datasets" / "data" if package and package.origin else None
        if folder and (folder / "diabetes_data_raw.csv.gz").is_file():
            return folder
        raise ValueError("data: the table is not there. It comes with scikit-learn: pip install scikit-learn")
