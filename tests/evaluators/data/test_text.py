"""Texts of one's own keep the contract; the vocabulary is that of training; what is no text is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.data import Part
from evaluators.data.base import DataSet
from evaluators.data.split import Split
from evaluators.data.text import Text
from qd.exporting import standalone
from qd.testing import DataConformance
from search_spaces.task import Classes, NextToken, Tokens, Values

WORDS = "good fine great bad poor awful film plot actor scene".split()


def reviews(path: Path, rows: int = 60) -> Path:
    """A table whose texts hold a good or a bad word, and each a number that no other has."""
    rng = np.random.default_rng(0)
    lines = ["text,stars,verdict"]
    for row in range(rows):
        word = WORDS[row % 6]
        rest = " ".join(rng.choice(WORDS[6:], 3))
        lines.append(f'"A {word}, {word} {rest} no{row}!",{row % 6 + 0.5},{"good" if row % 6 < 3 else "bad"}')
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(params=["classes", "values", "folders", "words", "characters", "files"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> DataSet:
    kind = request.param
    if kind in ("classes", "values"):
        target = "verdict" if kind == "classes" else "stars"
        return Text(reviews(tmp_path / "reviews.csv"), target=target)
    if kind == "folders":
        for part, start in (("train", 0), ("test", 20)):
            for number in range(start, start + 20):
                folder = tmp_path / part / WORDS[number % 2]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{number}.txt").write_text(f"{WORDS[number % 2 + 3]} {number}")
        return Text(tmp_path, steps=4)
    text = "To be, or not to be: that is the question.\n" * 40
    if kind == "files":
        for number in range(6):
            (tmp_path / f"{number}.txt").write_text(text.replace("question", f"question {number}"))
        return Text(tmp_path, steps=5)
    (tmp_path / "play.txt").write_text(text)
    return Text(tmp_path / "play.txt", kind, steps=8)


class TestText(DataConformance):
    @pytest.fixture
    def data(self, data: DataSet) -> DataSet:
        return data


def test_tasks_follow_from_what_is_there(data: Text) -> None:
    assert isinstance(data.task.input, Tokens)
    expected = Values if data.target == "stars" else Classes if data.class_names else NextToken
    assert isinstance(data.task.output, expected)
    if data.name.startswith("test_tasks") and data.class_names:  # folders: the test is given
        assert len(data.splits().test) == 20


def test_the_vocabulary_is_that_of_training(tmp_path: Path) -> None:
    data = Text(reviews(tmp_path / "reviews.csv"), target="verdict")
    vocabulary = data.preprocessing().parameters()["vocabulary"]
    assert {"good", "bad", "film", ",", "a"} <= set(vocabulary)
    assert not any(word.startswith("no") for word in vocabulary)  # each is there but once
    inputs = data.preprocessing().apply(data.splits().test.inputs[:])
    assert (inputs == 1).any(1).all()
    few = Text(tmp_path / "reviews.csv", target="verdict", vocabulary=5)
    assert few.task.input == Tokens(9, 5)
    assert len(few.preprocessing().parameters()["vocabulary"]) == 3


def test_exports_number_texts_alike(data: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evaluators.data.text.reading import read_texts

    how: dict[str, Any] = {"input_shape": list(data.task.input_shape), **data.preprocessing().plain()}
    (tmp_path / "preprocessing.json").write_text(json.dumps(how))
    monkeypatch.setattr(standalone, "FOLDER", tmp_path)
    expected = data.preprocessing().apply(data.read().inputs[:])
    texts = read_texts(data.path, "text", data.target, None, "utf-8").texts
    found: Any
    if isinstance(data.task.output, NextToken):
        steps = data.task.input_shape[0]
        first = [text[:steps] if data.tokens == "characters" else " ".join(text.split()[:3]) for text in texts[:1]]
        found = standalone.prepare(first)
        many = (found[0] > 0).sum()
        np.testing.assert_array_equal(found[0, :many], expected[0, :many])
        assert standalone.prepare(texts[:1]).shape == (1, steps)  # the last of them
    else:
        np.testing.assert_array_equal(standalone.prepare(texts), expected)


def test_blocks_follow_each_other_and_no_window_crosses_them(tmp_path: Path) -> None:
    (tmp_path / "count.txt").write_text(" ".join(map(str, range(1000))))
    data = Text(tmp_path / "count.txt", steps=9)
    train, validation, test = (part.inputs[:] for part in (data.splits().part(part) for part in Part))
    assert train.max() < validation.min() and validation.max() < test.min()
    everything = data.read()
    assert everything.targets[0].tolist() == list(range(1, 10)) and everything.inputs[:][1, 0] == 10


LABEL = {"name": "a.csv", "target": "label"}


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (b"caf\xe9 au lait", {}, r"is no text in utf-8: byte 0xe9 at 3.*encoding: latin-1"),
        (b"a\0b", {}, r"holds a zero at 1"),
        (b"too short", {}, r"three windows of 64 tokens and the next, 195 tokens, got 2"),
        (b"", {}, r"there is no word in"),
        (b"words", {"encoding": "utf-9"}, r"data\.encoding: there is no encoding 'utf-9'"),
        (b"words", {"target": "x"}, r"data\.target: goes with a table"),
        (b"words", {"tokenizer": Path("none.json")}, r"data\.tokenizer: (needs the package|there is no file)"),
        (b"text,label\na,b", {"name": "a.csv"}, r"data\.target: which column of .* text, label"),
        (b"text,label\na,b", {"name": "a.csv", "target": "lable"}, r"no column 'lable'.*label"),
        (b"text,label\na,b\nc,d,e\n", LABEL, r"line 3 .* a row of 3 fields"),
        (
            b"text,label\na,b\nc,\n",
            {"name": "a.csv", "target": "label"},
            r"label: expected a target for each example, and 1 of 2 are missing",
        ),
        (
            b"text,label\na,b\nc,b\n",
            {"name": "a.csv", "target": "label"},
            r"two classes at least, and all 2 examples are of b",
        ),
        (
            b"text,label\na,1.5\nc,1.5\n",
            LABEL,
            r"values that differ, and all 2 .* have 1\.5",
        ),
        (
            b"text,label\na,b\nc,1\n",
            {**LABEL, "target_kind": "values"},
            r"expected numbers, as target_kind is values, and 1 are none: 'b'",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(tmp_path: Path, content: bytes, keys: dict, message: str) -> None:
    keys = dict(keys)
    path = tmp_path / keys.pop("name", "a.txt")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Text(path, **keys).check()


def test_places_without_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.path: there is no .*nowhere"):
        Text(tmp_path / "nowhere").check()
    with pytest.raises(ValueError, match=r"holds no file that ends in \.txt"):
        Text(tmp_path).check()
    (tmp_path / "good").mkdir()
    for name in ("good/1.txt", "2.txt"):
        (tmp_path / name).write_text("word")
    with pytest.raises(ValueError, match=r"folders by class .* but 1 lie outside, such as 2\.txt"):
        Text(tmp_path).check()


def test_a_column_says_the_part(tmp_path: Path) -> None:
    rows = [f"good {row},{row % 2 + 1},{['train', 'val', 'test'][row % 3]}" for row in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label,part", *rows]))
    data = Text(tmp_path / "a.csv", target="label", split=Split(by="column", column="part"))
    assert [len(data.splits().part(part)) for part in Part] == [10, 10, 10]
    with pytest.raises(ValueError, match=r"label: expected train, validation and test as parts, got none for training"):
        Text(tmp_path / "a.csv", target="label", split=Split(by="column", column="label")).check()
