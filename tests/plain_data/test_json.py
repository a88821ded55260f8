"""JSON that somebody else wrote: what is refused, and with which words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qd.plain_data import check_plain, parse_json, read_json
from qd.plain_data.bounds import DEEPEST, MOST_VALUES

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_what_is_within_bounds_comes_back(data: Any) -> None:
    assert parse_json(json.dumps(data)) == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"not valid JSON: line 1, column 1: Expecting value"),
        ('{"a": 1,\n "b" 2}', r"not valid JSON: line 2, column 6: Expecting ':' delimiter"),
        ('{"a": {"b": 1, "b": 2}}', r"the key 'b' stands twice"),
        ("[" * 100_000, r"nested too deeply"),
        ("[" * 200 + "]" * 200, rf"nested deeper than {DEEPEST} levels"),
        ("1" * 5_000, r"not valid JSON: .*5000 digits"),
        ("1" * 400, r"a whole number beyond 1\.8e308"),
        ("[1e999]", r"a number that is not finite: inf"),
        ("NaN", r"a number that is not finite: nan"),
        ('{"a": -Infinity}', r"a number that is not finite: -inf"),
        (r'["\ud800"]', r"text that is no Unicode: '\\ud800'"),
        (r'{"\ud800": 1}', r"text that is no Unicode: '\\ud800'"),
        (f"[{'0,' * MOST_VALUES}0]", r"more than 2,000,000 values"),
    ],
)
def test_what_a_reader_would_stumble_over_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_infinite_numbers_may_be_asked_for() -> None:
    assert parse_json("[Infinity]", infinite=True) == [float("inf")]


def test_what_holds_itself_or_repeats_itself_is_refused() -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(ValueError, match="nested deeper"):
        check_plain(itself)
    repeated: Any = "x"
    for _ in range(30):
        repeated = [repeated] * 10
    with pytest.raises(ValueError, match="more than 2,000,000 values, counting what aliases repeat"):
        check_plain(repeated)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'\xff\xfe{\x00}\x00', "expected text in UTF-8, got UTF-16; save it as UTF-8"),
        (b'{"a": "\xff"}', r"expected text in UTF-8, got the byte 0xff at 7"),
        (b"\x80\x04K\x01.", r"expected text in UTF-8, got the byte 0x80 at 0"),
    ],
)  # fmt: skip
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "x.json")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in ((tmp_path, "got a folder"), (tmp_path / "pipe", "got a pipe or a device")):
        with pytest.raises(ValueError, match=message):
            read_json(path)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    with pytest.raises(ValueError, match="expected at most 16 MB, got 1,048,576 MB"):
        read_json(tmp_path / "large")


def test_a_byte_order_mark_and_other_ends_of_lines_are_taken(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{\r\n"a": 1}\r')
    assert read_json(tmp_path / "x.json") == {"a": 1}
