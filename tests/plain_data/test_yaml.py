"""The one dialect of YAML: what is written reads back equal; what others read as something else is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from qd.plain_data import dump_yaml, parse_yaml

words = st.sampled_from(
    [
        *"5e10 695e0514 1e-3 1E400 .5 5. -.5 +1 -0 007 0o17 0b11 0x1F 1_000 1:30 12:30:45.5 2026-11-28".split(),
        *"2026-11-28T01:02:03Z on Off yes NO y n True false Null ~ .inf -.Inf .nan << = * & ! !!int % @ `".split(),
        *"? - : # , [ ] { } > | ' \" ''".split(),
        *["", " ", "a: b", "a #b", "- a", "? a", "a\n", "\n a", "a\n\n b ", "\t", "\r\n"],
        *["\u2028", "\x85", "\ufeff", "\x00", "\x7f"],
    ]
)
texts = words | st.text() | st.from_regex(r"\A[-+]?[0-9]{1,4}[._:eExob-][0-9_]{0,6}\Z")
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def same(first: Any, second: Any) -> bool:
    """Equal and of equal types, -0.0 and 0.0 being different."""
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, float) and first == 0:
        return second == 0 and math.copysign(1, first) == math.copysign(1, second)
    return type(first) is type(second) and first == second


@pytest.mark.parametrize("one_line", [False, True])
@given(data=values)
def test_what_is_written_reads_back_equal(one_line: bool, data: Any) -> None:
    text = dump_yaml(data, one_line)
    assert same(parse_yaml(text), data)
    assert not one_line or text.removesuffix("...\n").count("\n") == 1


@given(texts)
def test_text_that_is_written_is_text_to_other_tools_too(text: str) -> None:
    assert yaml.safe_load(dump_yaml({text: text})) == {text: text}


def test_not_a_number_reads_back() -> None:
    assert math.isnan(parse_yaml(dump_yaml([math.nan]))[0])


def test_what_stands_twice_is_written_twice() -> None:
    shared = [1, 2]
    assert "&" not in dump_yaml({"a": shared, "b": shared})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e10", 5e10), ("1e-3", 0.001), (".5", 0.5), ("1.", 1.0), ("-0.0", -0.0), ("0o17", 15), ("0x1F", 31),
        ("+5", 5),
        ("~", None), ("", None), ("Null", None), ("TRUE", True), ("False", False), (".inf", math.inf), ("y", "y"),
        ("2026-11-28", "2026-11-28"), ("my_file:Class", "my_file:Class"), ("1e", "1e"), ("0x", "0x"), ("=", "="),
        ("1.2.3", "1.2.3"), ("'017'", "017"), ('"no"', "no"), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_plain_words_are_read_as_yaml_1_2_has_it(text: str, value: Any) -> None:
    assert same(parse_yaml(f"x: {text}"), {"x": value})


@pytest.mark.parametrize("text", ["yes", "No", "ON", "off"])
def test_booleans_of_other_versions_are_refused(text: str) -> None:
    message = rf"differ about {text}; write true or false, or in quotes if it is text \(line 2, column 4\)"
    with pytest.raises(ValueError, match=message):
        parse_yaml(f"a: 1\nx: {text}")


@pytest.mark.parametrize("text", ["017", "-007", "08", "0b11", "1_000", "1_0.5", "1:30", "190:20:30", "0o1_7"])
def test_numbers_of_other_versions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"differ about {text}; write a number without leading zeros"):
        parse_yaml(f"x: {text}")


ALIASES = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"the key 'a' stands twice \(line 3, column 1\)"),
        ("a: {b: 1, 'b': 2}", "the key 'b' stands twice"),
        ("1: a", r"expected text for a key, got 1; write it in quotes \(line 1, column 1\)"),
        ("on: a", "expected text for a key, got on; write it in quotes"),
        ("? [a]\n: b", "expected text for a key, got a list"),
        ("a:\n\tb: 1", r"found character '\\t' that cannot start any token \(line 2, column 1\)"),
        ("a: \x00", r"it may not hold the character 0x0 \(line 1\)"),
        ("a: 695e0514", "695e0514 is beyond the greatest number; write it in quotes if it is text"),
        (f"a: {'1' * 5000}", r"a number of 5,000 digits \(line 1, column 4\)"),
        (f"a: {'1' * 390}", r"a whole number beyond 1\.8e308"),
        (f"a: {'[' * 100_000}", r"nested deeper than 64 levels \(line 1"),
        (f"a:\n{'- ' * 10_000}", "nested too deeply"),
        (f"a: {'[' * 100}{']' * 100}", "nested deeper than 64 levels"),
        ("a: &a [*a]", "nested deeper than 64 levels"),
        ("a: &a {<<: *a}", "expected keys and values of another place"),
        ("a: {<<: 3}", "expected keys and values of another place, or a list of those, behind <<"),
        (f"a0: &a0 [x]\n{ALIASES}", "more than 2,000,000 values, counting what aliases repeat"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
        ("a: !!int x", "expected int, got 'x'"),
        (
            "a: 1\n---\nb: 2",
            r"expected a single document in the stream, but found another document \(line 2, column 1\)",
        ),
        ("a: {", r"expected the node content, .*\(line 1, column 5\)"),
    ],
)
def test_what_a_reader_would_stumble_over_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        parse_yaml(text)
    assert len(str(refusal.value)) < 300


def test_merge_keys_and_anchors_are_read() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, x: 3}\nd: {<<: [*a, *b], w: *a}\ne: {<<: {v: 1}}"
    a = {"x": 1, "y": 1}
    assert parse_yaml(text) == {
        "a": a, "b": {"y": 2, "z": 2}, "c": {"x": 3, "y": 1}, "d": {**a, "z": 2, "w": a}, "e": {"v": 1},
    }  # fmt: skip


def test_what_merge_keys_repeat_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qd.plain_data.yaml_text.MOST_VALUES", 1_000)
    text = "\n".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}" for n in range(1, 100))
    with pytest.raises(ValueError, match="<< repeats more than 1,000 values"):
        parse_yaml(f"a0: &a0 {{k: 1}}\n{text}")
