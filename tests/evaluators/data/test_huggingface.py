import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import ipc, parquet

from evaluators.data import Part, Split
from evaluators.data.huggingface import HuggingFace
from qd.testing.data import DataConformance
from search_spaces import Task
from search_spaces.task import Classes, Values, Vector
from search_spaces.task import Image as ImageInput

RNG = np.random.default_rng(0)
NAMES = ["cat", "dog", "emu"]


def cell(name: str) -> dict[str, object]:
    buffer = BytesIO()
    Image.fromarray(RNG.integers(0, 255, (6, 5), np.uint8)).save(buffer, "png")
    return {"bytes": buffer.getvalue(), "path": name}


def pets(count: int) -> pa.Table:
    features = {"info": {"features": {"label": {"names": NAMES, "_type": "ClassLabel"}}}}
    labels = pa.array(np.arange(count) % 3)
    table = pa.table({"image": pa.array([cell(f"{row}.png") for row in range(count)]), "label": labels})
    return table.replace_schema_metadata({"huggingface": json.dumps(features)})


def numbers(count: int = 40, **columns: object) -> pa.Table:
    values = {"width": RNG.normal(size=count), "age": np.arange(count), "price": RNG.normal(size=count), **columns}
    return pa.table(values)


def save(folder: Path, **tables: pa.Table) -> Path:
    folder.mkdir()
    for name, table in tables.items():
        parquet.write_table(table, folder / f"{name}-00000-of-00001.parquet", row_group_size=7)
    return folder


def save_to_disk(folder: Path, **tables: pa.Table) -> Path:
    """As `DatasetDict.save_to_disk` of `datasets` leaves it."""
    folder.mkdir()
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(tables)}))
    for name, table in tables.items():
        (folder / name).mkdir()
        (folder / name / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
        with ipc.new_stream(folder / name / "data-00000-of-00001.arrow", table.schema) as writer:
            writer.write_table(table, max_chunksize=5)
    return folder


class TestPictures(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> HuggingFace:
        return HuggingFace(save(tmp_path / "pets", train=pets(30), test=pets(9)))


class TestSaved(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> HuggingFace:
        data = HuggingFace(
            save_to_disk(tmp_path / "pets", train=pets(12), validation=pets(6), test=pets(3)), channels=3
        )
        assert data.task == Task(ImageInput(3, 6, 5), Classes(3))
        assert data.class_names == tuple(NAMES)
        assert np.bincount(data.read().parts).tolist() == [12, 6, 3]  # pyright: ignore[reportArgumentType]
        return data


class TestNumbers(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> HuggingFace:
        data = HuggingFace(save(tmp_path / "houses", data=numbers()), target="price")
        assert data.task == Task(Vector(2), Values(1))
        return data


def test_lists_are_numbers_and_a_column_says_parts(tmp_path: Path):
    lists = pa.array(RNG.normal(size=(40, 3)).tolist())
    use = ["train"] * 25 + ["test"] * 15
    path = save(tmp_path / "houses", data=numbers(label=np.array(["a", "b"] * 20), lists=lists, use=pa.array(use)))
    data = HuggingFace(path / "data-00000-of-00001.parquet", ("lists", "age"), split=Split("column", "use"))
    data.check()
    assert data.task == Task(Vector(4), Classes(2))
    parts = data.read().parts
    assert parts is not None and (parts == Part.TEST).sum() == 15


def holes() -> pa.Table:
    return numbers(label=pa.array([None, *"ab" * 19, "b"]))


def cut(path: Path) -> Path:
    file = next(save(path, train=pets(9)).iterdir())
    file.write_bytes(file.read_bytes()[:-30])
    return path


def secret(path: Path) -> Path:
    hidden = pets(6)
    hidden = hidden.set_column(1, "label", pa.array([-1] * 6)).replace_schema_metadata(hidden.schema.metadata)
    return save(path, train=pets(9), test=hidden)


@pytest.mark.parametrize(
    ("make", "keys", "message"),
    [
        (lambda path: save(path), {}, "expected Parquet files, or a folder"),
        (cut, {}, "the file is damaged"),
        (secret, {}, r"expected one of 3 classes in each row, and 6 of 15 have none \(such as -1"),
        (lambda path: save(path, data=numbers()), {}, "target: say which column .*: width, age, price"),
        (lambda path: save(path, data=numbers()), {"target": "prize"}, "no column 'prize'; did you mean 'price'"),
        (lambda path: save(path, data=holes()), {}, "label is missing in 1 of 40 rows"),
        (
            lambda path: save(path, data=numbers(word=pa.array(["x"] * 40))),
            {"target": "price", "inputs": "word"},
            "1 hold something else .word: string.",
        ),
        (
            lambda path: save(path, data=numbers(box=pa.array([{"a": [[1]]}] * 40))),
            {"target": "price", "inputs": ("box",)},
            "hold something else .box: struct",
        ),
        (
            lambda path: save(path, data=numbers(list=pa.array([[1.0], [1.0, 2.0]] * 20))),
            {"target": "price", "inputs": ("list",)},
            "expected lists of one length",
        ),
        (lambda path: save(path, data=numbers(hole=[None, 1.0] * 20)), {"target": "price"}, "20 hold NaN"),
        (lambda path: save(path, train=numbers(), test=pets(3)), {}, "expected the same columns in all files"),
        (
            lambda path: save(path, train=pets(3), other=pets(3)),
            {},
            "train, validation or test in the name of each file",
        ),
    ],
)
def test_what_cannot_be_searched_on_is_refused(tmp_path: Path, make, keys, message):
    with pytest.raises(ValueError, match=message):
        HuggingFace(make(tmp_path / "given"), **keys).check()
