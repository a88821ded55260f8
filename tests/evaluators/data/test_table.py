from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from evaluators.data import Part, Split
from evaluators.data.table import Table
from evaluators.data.table.preprocessing import CategoryColumn, NumberColumn, TablePreprocessing
from qd.testing.data import DataConformance
from search_spaces import Task
from search_spaces.task import Classes, Values, Vector

HEAD = "id,age,city,income,same,person,part,day,bought"


def lines(rows: int = 120) -> list[str]:
    """People, an eighth of whose ages and a tenth of whose cities are missing; two live in Oslo."""
    rng = np.random.default_rng(0)
    found = []
    for row in range(rows):
        age = "" if row % 8 == 3 else str(rng.integers(18, 80))
        city = "Oslo" if row in (5, 6) else "?" if row % 10 == 4 else rng.choice(["Bern", " Rome"])
        part = ("train", "train", "val", "test")[row % 4]
        day = f"2025-{1 + row % 12:02}-{1 + row % 28:02}"
        bought = "yes" if row % 3 == 0 else "no"
        found.append(f"{row + 1},{age},{city},{rng.normal(3000, 900):.2f},x,p{row % 10},{part},{day},{bought}")
    return found


def write(path: Path, *rows: str, head: str = HEAD, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding=encoding)
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write(tmp_path / "people.csv", *lines())


OTHERS = ("person", "part", "day")


class TestClasses(DataConformance):
    @pytest.fixture
    def data(self, people: Path) -> Table:
        return Table(people, "bought", leave_out=OTHERS)


class TestValues(DataConformance):
    @pytest.fixture
    def data(self, people: Path) -> Table:
        return Table(people, "income", leave_out=(*OTHERS, "id"))


def test_kinds_of_columns_are_told_and_preprocessed(people):
    data = Table(people, "bought", leave_out=OTHERS)
    assert data.describe() == [
        "id: identifier, left out, 120 distinct",
        "age: number, 48 distinct, 15 missing",
        "city: category, 3 distinct, 12 missing",
        "income: number, 120 distinct",
        "same: constant, left out, always 'x'",
    ]
    assert data.class_names == ("no", "yes")
    fitted = data.preprocessing()
    assert isinstance(fitted, TablePreprocessing)
    age, city, income = fitted.columns
    assert isinstance(age, NumberColumn) and isinstance(city, CategoryColumn) and isinstance(income, NumberColumn)
    assert (age.indicator, income.indicator) == (True, False)
    assert (sorted(city.categories), city.missing, city.other) == (["Bern", "Rome"], True, True), "Oslo is rare"
    assert data.task == Task(Vector(2 + 4 + 1), Classes(2))
    codes = {text: code for code, text in enumerate(city.source)}
    raw = np.array([[np.nan, codes["Oslo"], income.mean], [age.mean, np.nan, income.mean + income.scale]])
    np.testing.assert_allclose(
        fitted.apply(raw),
        [[(age.median - age.mean) / age.scale, 1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0, 1]],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("by", "column", "sizes"),
    [("group", "person", (72, 24, 24)), ("time", "day", (77, 19, 24)), ("column", "part", (60, 30, 30))],
)
def test_a_column_splits_and_is_not_learnt_from(people, by, column, sizes):
    others = tuple(name for name in OTHERS if name != column)
    data = Table(people, "bought", leave_out=others, split=Split(by=by, column=column))
    data.check()
    assert tuple(len(data.splits().part(part)) for part in Part) == sizes
    assert column not in data.contents()["columns"]


def test_where_a_column_names_no_rows_for_validation_some_of_training_are_taken(tmp_path):
    rows = [line.replace(",val,", ",train,") for line in lines()]
    path = write(tmp_path / "people.csv", *rows)
    data = Table(path, "bought", leave_out=("person", "day"), split=Split(by="column", column="part"))
    assert [len(data.splits().part(part)) for part in Part] == [72, 18, 30]


def test_a_person_says_what_a_column_is(people):
    data = Table(people, "bought", leave_out=OTHERS, categories=("age",), numbers=("id",))
    assert {column.raw.name: column.kind for column in data.columns} == {
        "id": "number",
        "age": "category",
        "city": "category",
        "income": "number",
        "same": "constant",
    }


@pytest.mark.parametrize(
    ("values", "kind", "output"),
    [
        (["3", "1", "2"], None, Classes(3)),
        (["3", "1", "2"], "values", Values(1)),
        (["0.5", "1", "2"], None, Values(1)),
        ([str(n) for n in range(40)], None, Values(1)),
        (["true", "false"], None, Classes(2)),
    ],
)
def test_the_target_is_classes_or_values(tmp_path, values, kind, output):
    rows = [f"{row * 0.5},{values[row % len(values)]}" for row in range(80)]
    data = Table(write(tmp_path / "a.csv", *rows, head="x,y"), "y", kind)
    assert data.task == Task(Vector(1), output)
    assert data.class_names == (tuple(sorted(values)) if isinstance(output, Classes) else ())


@pytest.mark.parametrize(("separator", "suffix"), [(";", "csv"), ("\t", "tsv"), ("|", "txt")])
def test_separators_encodings_and_quotes(tmp_path, separator, suffix):
    rows = [f'{row}.5{separator}"Zürich{separator} {row % 2}\nCH"{separator}{row % 2}' for row in range(30)]
    head = separator.join(["x", "city", "y"])
    path = write(tmp_path / f"a.{suffix}", *rows, head=head, encoding="utf-8-sig")
    data = Table(path, "y")
    assert [column.raw.name for column in data.columns] == ["x", "city"]
    assert data.columns[1].raw.texts == (f"Zürich{separator} 0\nCH", f"Zürich{separator} 1\nCH")
    again = write(tmp_path / f"b.{suffix}", *rows, head=head, encoding="cp1252")
    with pytest.raises(ValueError, match=r"byte \d+ \(line 2\) is 0xFC, which is no UTF-8; .* encoding: cp1252"):
        Table(again, "y").check()
    np.testing.assert_array_equal(Table(again, "y", encoding="cp1252").read().inputs, data.read().inputs)


def test_parquet_has_types_of_its_own(tmp_path):
    rows = 60
    table = pyarrow.table(
        {
            "x": pyarrow.array([None if row % 7 == 0 else row / 2 for row in range(rows)], pyarrow.float32()),
            "code": pyarrow.array([float(row % 3) for row in range(rows)]),
            "flag": pyarrow.array([row % 4 == 0 for row in range(rows)]),
            "city": pyarrow.array([["Bern", "Rome", None][row % 3] for row in range(rows)]).dictionary_encode(),
            "sizes": pyarrow.array([[row] for row in range(rows)]),
            "day": pyarrow.array(np.arange(rows).astype("datetime64[D]")),
            "y": pyarrow.array([bool(row % 2) for row in range(rows)]),
        }
    )
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    with pytest.raises(ValueError, match=r"1 hold something else \(sizes: list<.*leave_out: \[sizes\]"):
        Table(path, "y").check()
    with pytest.raises(ValueError, match=r"1 column holds dates \(day\): leave_out: \[day\], or use one as split"):
        Table(path, "y", leave_out=("sizes",)).check()
    data = Table(path, "y", leave_out=("sizes",), categories=("code",), split=Split(by="time", column="day"))
    data.check()
    assert data.class_names == ("False", "True")
    assert [(column.kind, column.raw.missing) for column in data.columns] == [
        ("number", 9),
        ("category", 0),
        ("category", 0),
        ("category", 20),
    ]
    assert data.columns[1].raw.texts == ("0", "1", "2")
    assert data.splits().test.inputs[:].shape == (12, 4)


ROWS = [f"{row}.5,{row % 2}" for row in range(30)]


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        (ROWS, {"target": "z"}, r"target: .*a.csv has no column 'z'; known: x, y"),
        (ROWS, {"target": "yy"}, r"has no column 'yy'; did you mean 'y'\?"),
        (ROWS, {"leave_out": ("q",)}, r"leave_out: .* has no column 'q'"),
        (ROWS, {"numbers": ("y",)}, "y stands in several of target, numbers"),
        (ROWS, {"split": Split(by="group", column="y")}, "split.column: y is the target"),
        (ROWS, {"separator": ";"}, r"expected two columns at least, got 'x,y' alone with ';'"),
        (ROWS, {"encoding": "utf9"}, "encoding: there is none called 'utf9'; did you mean 'utf-"),
        ([], {}, "there is no row below the names"),
        ([*ROWS, "1", "2,3", "3,4,5"], {}, r"expected 2 values in every row.*: line 32 has 1, line 34 has 3\."),
        ([*ROWS, "1,", "2,NA"], {}, "target y is missing in 2 of 32 rows"),
        ([f"{row}.5,1" for row in range(30)], {}, "target y is '1' in all 30 rows"),
        ([f"{row}.5,a{row}" for row in range(1100)], {}, "1,100 distinct values in 1,100 rows, and at most"),
        ([f"{row}.5,a{row % 2}" for row in range(30)], {"target_kind": "values"}, "30 of 30 are none, such as 'a0'"),
        ([f"{row},{row}.5" for row in range(30)] + ["1,inf"], {}, "is infinite in 1 of 31 rows"),
        ([f"{row}.5,{row % 2}" for row in range(30)] + ["-inf,1"], {}, "the column x has 1 infinite values"),
        ([f",{row % 2}" for row in range(30)], {}, r"no column is left to tell y from \(x: empty, left out"),
        ([f"{row},{row % 2}" for row in range(30)], {}, r"no column is left to tell y from \(x: identifier, left out"),
        ([f"2025-01-{row + 1:02},{row % 2}" for row in range(28)], {}, r"1 column holds dates \(x\): leave_out: \[x\]"),
        ([f"what {row} is like,{row % 2}" for row in range(28)], {}, r"1 column holds free text \(x\)"),
        ([f'"{row},5",{row % 2}' for row in range(28)], {}, r"numbers with a decimal comma \(x\): write them"),
        ([f"{row}.5,{row % 2}" for row in range(28)] + ["old,1"], {}, r"a few values that are none \(x\).*missing: "),
        (ROWS, {"categories": ("x",), "numbers": ("x",)}, "x stands in several"),
        ([f"a{row % 3},{row % 2}" for row in range(28)], {"numbers": ("x",)}, "x has 28 values that are no number"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_refused(tmp_path, rows, keys, message):
    path = write(tmp_path / "a.csv", *rows, head="x,y")
    with pytest.raises(ValueError, match=message):
        Table(path, **{"target": "y", **keys}).check()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", r"path: expected a file that ends in .csv, .tsv, .txt, .parquet"),
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"1,2\n3,4\n", "expected names of columns in the first line, got 1, 2"),
        ("a.csv", b"x,x,y\n1,2,3\n", "1 names stand for several columns: x"),
        ("a.parquet", b"PAR1", "a.parquet: the file is damaged, or no parquet file"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Table(tmp_path / name, "y").check()


def test_values_that_stand_for_a_missing_one(tmp_path):
    rows = [
        f"{-999 if row % 5 == 0 else row + 0.5},{'unknown' if row % 4 == 0 else 'ab'[row % 2]},{row % 2}"
        for row in range(40)
    ]
    path = write(tmp_path / "a.csv", *rows, head="x,city,y")
    data = Table(path, "y", missing=("unknown", "-999.0"))
    assert [column.raw.missing for column in data.columns] == [8, 10]
    assert data.preprocessing().plain()["missing"][-2:] == ["unknown", "-999.0"]
