"""Series files keep the contract, whatever their lengths; what is none is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluators.data import Part
from evaluators.data.base import DataSet
from evaluators.data.series import Series
from evaluators.data.split import Split
from qd.testing import DataConformance
from search_spaces import Task
from search_spaces.task import Classes, Values
from search_spaces.task import Series as SeriesInput

HEAD = "# made by hand\n@problemName waves\n@timeStamps false\n@missing true\n@equalLength false\n"


def waves(path: Path, rows: int, target: str = "@classLabel true slow fast", first: int = 0) -> None:
    """Two channels of 5 to 9 steps; the first value of the second one is missing now and then."""
    lines = [HEAD + target + "\n@data"]
    for row in range(first, first + rows):
        steps = np.arange(5 + row % 5)
        one = ",".join(f"{value:.4f}" for value in np.sin(steps * (1 + row % 2) + row))
        two = ",".join(["?" if row % 7 == 0 else "1.5", *map(str, steps[1:])])
        answer = ("slow", "fast")[row % 2] if "class" in target else str(row / 4)
        lines.append(f"{one}:{two}:{answer}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(params=["published", "one file", "values", "arrays"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> DataSet:
    if request.param == "published":
        waves(tmp_path / "W_TRAIN.ts", 30)
        waves(tmp_path / "W_TEST.ts", 20, first=30)
        return Series(tmp_path)
    if request.param == "arrays":
        steps = np.random.default_rng(0).normal(size=(40, 9, 2)).astype(np.float32)
        np.savez(tmp_path / "waves.npz", x=steps, y=np.array(["slow", "fast"] * 20))
        return Series(tmp_path / "waves.npz")
    target = "@targetLabel true" if request.param == "values" else "@classLabel true slow fast"
    waves(tmp_path / "waves.ts", 40, target)
    return Series(tmp_path / "waves.ts")


class TestSeries(DataConformance):
    @pytest.fixture
    def data(self, data: DataSet) -> DataSet:
        return data


def test_what_files_hold(tmp_path: Path) -> None:
    waves(tmp_path / "W_TRAIN.ts", 30)
    waves(tmp_path / "W_TEST.ts", 20, first=30)
    data = Series(tmp_path / "W_TRAIN.ts", Split(seed=1))
    assert data.task == Task(SeriesInput(9, 2), Classes(2)) and data.class_names == ("slow", "fast")
    everything = data.read()
    assert (everything.parts == Part.TEST).sum() == 20 and len(data.splits().validation) == 6
    raw = everything.inputs[:]
    assert np.isnan(raw[0, 5:]).all() and np.isnan(raw[0, 0, 1])
    assert everything.targets[:3].tolist() == [0, 1, 0]
    prepared = data.preprocessing().apply(raw)
    assert (prepared[0, 5:] == 0).all() and prepared[0, 0, 1] == 0
    train = data.splits().train.inputs[:]
    np.testing.assert_allclose(np.nanmean((train - np.nanmean(train, (0, 1))), (0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(data.preprocessing().apply(train)[~np.isnan(train)].std(), 1, rtol=0.05)
    assert data.describe()[0].endswith("50 series of 5 to 9 steps and 2 channels, and 2 classes")
    waves(tmp_path / "values.ts", 40, "@targetLabel true")
    assert Series(tmp_path / "values.ts").task.output == Values(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2,3:a", r"expected a \.ts file: lines that begin with @"),
        ("@data\n1,2:a", r"expected @classLabel true and classes, or @targetLabel true"),
        ("@classLabel true a b\n@data\n", r"there is no series behind @data"),
        ("@classLabel true a b\n@data\n1,2:a\n1,x:b", r"line 4: expected numbers, or \? .* got '1,x'"),
        ("@classLabel true a b\n@data\n1,2:a\n1,2:c", r"line 4: the class 'c' is none of a, b"),
        ("@classLabel true a b\n@data\n1,2:a\n1:2:b", r"as many channels each, got 1 of 1, 1 of 2"),
        ("@classLabel true a b\n@data\n1,2:a\n1,2:a", r"two classes at least, and all 2 examples are of a"),
        ("@classLabel true a b\n@data\n1,inf:a\n1,2:b", r"1 values of 1 series are infinite.* series 1"),
        ("@classLabel true a b\n@data\n1:?:a\n1:?:b", r"channel 2 has no value"),
        ("@timeStamps true\n@classLabel true a\n@data\n(1,2):a", r"its values have times"),
        ("@targetLabel true\n@data\n1,2:3\n1,3:3", r"values that differ, and all 2"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.ts").write_text(content)
    with pytest.raises(ValueError, match=message):
        Series(tmp_path / "a.ts").check()


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected NAME_TRAIN\.ts and NAME_TEST\.ts of one data set, got none"):
        Series(tmp_path).check()
    waves(tmp_path / "a.ts", 20)
    with pytest.raises(ValueError, match=r"split\.column: .* has no columns"):
        Series(tmp_path, Split(by="group", column="person")).check()
