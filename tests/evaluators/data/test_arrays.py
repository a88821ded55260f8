import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from evaluators.data import Split, StoredRows
from evaluators.data import arrays as arrays_module
from evaluators.data.arrays import Arrays
from qd.testing.data import DataConformance
from search_spaces import Task
from search_spaces.task import Classes, Image, Series, Values, Vector

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (60, 3, 6, 5), np.uint8)
NAMES = np.array(["cat", "dog", "cow"] * 20)
NUMBERS = RNG.normal(size=(60, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def save(folder: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    path = folder / "mine.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


class TestImages(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> Arrays:
        return Arrays(save(tmp_path, x=PIXELS, y=NAMES))


class TestSeriesOfValues(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> Arrays:
        series = RNG.normal(size=(60, 7, 2))
        series[::3, 5:] = np.nan  # padding
        return Arrays(save(tmp_path, x=series, y=RNG.normal(size=60)))


class TestPartsInACompressedFile(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arrays:
        monkeypatch.setattr(arrays_module, "IN_MEMORY", 1000)
        moved = PIXELS.transpose(0, 2, 3, 1)
        parts = {"train_images": moved[:40], "test_images": moved[40:]}
        return Arrays(save(tmp_path, True, **parts, train_labels=NAMES[:40, None], test_labels=NAMES[40:, None]))


@pytest.mark.parametrize(
    ("shape", "dtype", "keys", "task"),
    [
        ((30, 5), "f4", {}, Task(Vector(5), Classes(3))),
        ((30, 5), "i8", {"input": "series"}, Task(Series(5, 1), Classes(3))),
        ((30, 6, 5), "u1", {}, Task(Image(1, 6, 5), Classes(3))),
        ((30, 6, 5), "f2", {}, Task(Series(6, 5), Classes(3))),
        ((30, 6, 5), ">f8", {"channels": "first"}, Task(Series(5, 6), Classes(3))),
        ((30, 6, 5, 3), "u2", {}, Task(Image(3, 6, 5), Classes(3))),
        ((30, 3, 4, 4), "?", {"channels": "last"}, Task(Image(4, 3, 4), Classes(3))),
        ((30, 6, 5, 3), "u1", {"input": "vector"}, Task(Vector(90), Classes(3))),
    ],
)
def test_what_an_array_is_follows_from_its_axes(tmp_path: Path, shape, dtype, keys, task):
    given = RNG.integers(0, 2 if dtype == "?" else 99, shape).astype(dtype)
    data = Arrays(save(tmp_path, x=given, y=np.arange(30) % 3 + 7), **keys)
    assert data.task == task
    assert data.class_names == ("7", "8", "9")
    assert data.preprocessing().apply(data.read().inputs[:]).shape == (30, *task.input_shape)
    assert data.describe()


@pytest.mark.parametrize(
    ("targets", "keys", "output"),
    [
        (np.linspace(0, 1, 60), {}, Values(1)),
        (np.arange(60) % 5, {"target_kind": "values"}, Values(1)),
        (np.arange(60.0) % 5, {}, Classes(5)),
        (np.eye(3)[np.arange(60) % 3], {}, Classes(3)),
        (RNG.normal(size=(60, 2)), {}, Values(2)),
        (np.arange(60) % 2 > 0, {"classes": ("no", "yes")}, Classes(2)),
        (NAMES.astype("S"), {}, Classes(3)),
    ],
)
def test_what_targets_are_follows_from_their_numbers(tmp_path: Path, targets, keys, output):
    data = Arrays(save(tmp_path, x=NUMBERS, y=targets), **keys)
    data.check()
    assert data.task.output == output
    if "classes" in keys:
        assert data.class_names == ("no", "yes")


def test_every_form_of_file_holds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path):
    numbers = np.arange(60) % 3
    save(tmp_path, x=PIXELS, y=numbers)
    np.savez_compressed(tmp_path / "small.npz", x=PIXELS, y=numbers)
    save_file({"x": PIXELS, "y": numbers}, tmp_path / "mine.safetensors")
    np.save(tmp_path / "x.npy", PIXELS)
    np.save(tmp_path / "y.npy", numbers)
    (tmp_path / "unrelated.npy").write_bytes(b"no array")
    for limit in (10**9, 1000):
        monkeypatch.setattr(arrays_module, "IN_MEMORY", limit)
        for name in ("mine.npz", "small.npz", "mine.safetensors", "x.npy", "."):
            inputs = Arrays(tmp_path / name, target_kind="classes", classes=(str(limit), "b", "c")).read().inputs
            assert isinstance(inputs, StoredRows) == (limit == 1000)
            np.testing.assert_array_equal(inputs[:], PIXELS)
            np.testing.assert_array_equal(inputs[np.array([7, 3, 7])], PIXELS[[7, 3, 7]])
    assert [path.name for path in (cache / "qdnas/arrays").glob("*/*")] == ["rows"]  # of the compressed file alone


def test_arrays_say_parts_groups_and_times(tmp_path: Path):
    parts = np.array(["train"] * 40 + ["val"] * 10 + ["test"] * 10)
    path = save(tmp_path, x=NUMBERS, y=NAMES, part=parts, person=np.arange(60) // 6, day=np.arange(60)[::-1])
    by_part = Arrays(path, split=Split("column", "part")).splits()
    np.testing.assert_array_equal(by_part.test.inputs, NUMBERS[50:])
    np.testing.assert_array_equal(by_part.validation.inputs, NUMBERS[40:50])
    groups = vars(Arrays(path, split=Split("group", "person")).splits()).values()
    people = [{row.tobytes() for row in part.inputs[:]} for part in groups]
    for block in NUMBERS.reshape(10, 6, 4):
        assert sum(any(row.tobytes() in part for row in block) for part in people) == 1
    np.testing.assert_array_equal(
        np.sort(Arrays(path, split=Split("time", "day")).splits().test.inputs[:], 0), np.sort(NUMBERS[:12], 0)
    )


def test_stored_rows_are_read_as_they_are_asked_for(tmp_path: Path):
    (tmp_path / "rows").write_bytes(b"head" + NUMBERS.tobytes())
    stored = StoredRows(tmp_path / "rows", 4, NUMBERS.dtype, NUMBERS.shape)
    some = stored.take(np.array([5, 6, 7, 1, 59]))
    assert some.shape == (5, 4) and some.nbytes == 80
    np.testing.assert_array_equal(some[1:4], NUMBERS[[6, 7, 1]])
    np.testing.assert_array_equal(stored[10::7], NUMBERS[10::7])
    np.testing.assert_array_equal(some.take(np.array([4, 0]))[:], NUMBERS[[59, 5]])
    assert stored[np.empty(0, np.int64)].shape == (0, 4)
    turned = StoredRows(tmp_path / "rows", 4, NUMBERS.dtype, (20, 3, 4), axes=(0, 2, 1))
    np.testing.assert_array_equal(turned[2:4], NUMBERS.reshape(20, 3, 4)[2:4].transpose(0, 2, 1))
    (tmp_path / "rows").write_bytes(b"head" + NUMBERS[:30].tobytes())
    with pytest.raises(ValueError, match="the file has become shorter"):
        stored[20:40]


def hostile(folder: Path) -> Path:
    class Evil:
        def __reduce__(self):
            return (Path(folder / "executed").touch, ())

    path = folder / "mine.npz"
    np.savez(path, x=np.array([Evil(), Evil()], object), y=np.arange(2))
    return path


def raw_pickle(folder: Path) -> Path:
    path = folder / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", pickle.dumps([1, 2]))
    return path


def cut(folder: Path) -> Path:
    path = save(folder, x=PIXELS, y=NAMES)
    path.write_bytes(path.read_bytes()[:-500])
    return path


def nan(*rows: int, value: float = np.nan) -> np.ndarray:
    found = NUMBERS.copy()
    found[list(rows), 1] = value
    return found


HOLES = np.where(np.arange(14).reshape(1, 7, 2) == 6, np.nan, RNG.normal(size=(60, 7, 2)))


@pytest.mark.parametrize(
    ("given", "keys", "message"),
    [
        (hostile, {}, r"x\.npy is an array of Python objects, which numpy pickles; pickles are never loaded"),
        (raw_pickle, {}, "expected an array as numpy.save writes it.*as a pickle does"),
        (cut, {}, "expected a whole .npz file"),
        ({"x": nan(3, 9), "y": NAMES}, {}, r"of 60 examples 2 hold NaN and 0 infinite .*\(examples 3, 9"),
        ({"x": nan(4, value=np.inf), "y": NAMES}, {}, "0 hold NaN and 1 infinite"),
        ({"x": HOLES, "y": NAMES}, {}, "60 hold NaN"),
        ({"x": NUMBERS, "y": np.ones(60)}, {}, "all 60 examples are of 1"),
        ({"x": NUMBERS, "y": np.full(60, 0.5)}, {}, "all 60 examples have 0.5: there is nothing to learn"),
        ({"x": NUMBERS, "y": np.where(np.arange(60) == 5, np.nan, 0.5)}, {}, "1 of 60 are missing.*examples 5"),
        (
            {"x": np.zeros((20000, 1)), "y": np.arange(20000) % 10000},
            {},
            "at most 1000 classes, got 10,000 in 20,000.*target_kind: values",
        ),
        ({"x": NUMBERS, "y": NAMES}, {"target_kind": "values"}, "expected numbers, as target_kind is values"),
        ({"x": NUMBERS, "y": NAMES}, {"classes": ("a", "b")}, "expected names of 3 classes .*got 2"),
        ({"x": NUMBERS, "y": NAMES}, {"target": "why"}, "target: there is no array 'why'; known: x, y"),
        ({"p": NUMBERS, "q": NAMES}, {}, "say inputs: NAME.*found p, q"),
        ({"x": NUMBERS, "y": NAMES[:50]}, {}, "as many examples in x as in y"),
        ({"x": NAMES, "y": NAMES}, {}, "expected numbers, got <U3"),
        ({"x": PIXELS.reshape(60, 9, 2, 5), "y": NAMES}, {"input": "series"}, "expected 2 or 3 axes of series"),
        ({"x": np.zeros((60, 3, 9, 3)), "y": NAMES}, {}, "Say channels: first, or last"),
        (
            {"x_train": NUMBERS, "x_test": NUMBERS[:, :2], "y_train": NAMES, "y_test": NAMES},
            {},
            "of one type and shape",
        ),
        (
            {"x_train": NUMBERS, "x_test": NUMBERS[:3], "y_train": NAMES, "y_test": np.array(["cat", "dog", "emu"])},
            {},
            "no example of a class is left for training .*emu",
        ),
        (
            {"x": NUMBERS, "y": NAMES, "s": NAMES},
            {"split": Split("column", "s")},
            "expected train, validation and test",
        ),
    ],
)
def test_what_cannot_be_searched_on_is_refused(tmp_path: Path, given: Any, keys, message):
    path: Any = given(tmp_path) if callable(given) else save(tmp_path, **given)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=message):
        Arrays(path, **keys).check()
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_are_none_are_refused(tmp_path: Path):
    (tmp_path / "mine.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "mine.csv").write_text("a,b\n")
    (tmp_path / "empty").mkdir()
    for name, message in [
        ("nowhere.npz", "no such file"),
        ("mine.safetensors", "expected a safetensors file"),
        ("mine.csv", "expected a .npz, .npy or .safetensors file"),
        ("empty", "found nothing"),
    ]:
        with pytest.raises(ValueError, match=message):
            Arrays(tmp_path / name).check()
