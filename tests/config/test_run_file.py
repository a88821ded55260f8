"""The run file: what is refused, with which words, and what overrides do."""

import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from qd.config import RunFile, check, dotted, load, override, parse
from qd.errors import UsageError, suggest
from qd.plain_data import dump_yaml
from qd.registry import Registry

TEXT = """\
space: {kind: sparse_moe}
evaluator: {kind: supervised, data: digits, training: {epochs: 3}}
archive:
  objective: val_accuracy
  measures:
    - {metric: macs, low: 1e3, high: 1e6, scale: log}
    - {metric: specialisation, low: 0, high: 0.7, bins: 10}
emitters:
  - {kind: random, weight: 0.5}
  - {kind: map_elites, initial: 20}
search: {seed: 3}
budget: {evaluations: 100}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(TEXT)
    return path


def changed(*overrides: str) -> RunFile:
    return check(override(parse(TEXT, "run.yaml"), overrides, "run.yaml"), "run.yaml")


def test_a_run_file_is_read_with_its_defaults(file: Path) -> None:
    config = load(file)
    assert (config.space.kind, config.space.arguments) == ("sparse_moe", {})
    assert config.evaluator.arguments == {"data": "digits", "training": {"epochs": 3}}
    assert config.archive.objective.metric == "val_accuracy"
    first, second = config.archive.measures
    assert (first.low, first.high, first.bins, first.scale) == (1000.0, 1e6, 20, "log")
    assert (second.low, second.high, second.bins, second.scale) == (0, 0.7, 10, "linear")
    assert config.archive.outside == "drop"
    assert [(one.kind, one.weight, one.arguments) for one in config.emitters] == [
        ("random", 0.5, {}),
        ("map_elites", 1.0, {"initial": 20}),
    ]
    assert config.executor.kind == "inline"
    assert (config.search.seed, config.search.order) == (3, "arrival")
    assert (config.budget.evaluations, config.budget.seconds) == (100, None)


def test_without_emitters_map_elites_searches() -> None:
    data = parse(TEXT, "run.yaml")
    del data["emitters"]
    assert [one.kind for one in check(data, "run.yaml").emitters] == ["map_elites"]


@pytest.mark.parametrize(
    ("written", "misspelt", "line"),
    [
        ("archive:", "achive:", "achive: unknown key; did you mean 'archive'?"),
        ("budget:", "bugdet:", "budget: this key is missing (is 'bugdet' a misspelling of it?)"),
        ("{kind: sparse", "{knid: sparse", "space.kind: this key is missing (is 'knid' a misspelling of it?)"),
        (
            "objective:",
            "objectiv:",
            "archive.objective: this key is missing (is 'objectiv' a misspelling of it?)",
        ),
        (
            "objective: val_accuracy",
            "objective: {metrc: a}",
            "archive.objective.metrc: unknown key; did you mean 'metric'?",
        ),
        ("bins: 10", "bin: 10", "archive.measures[1].bin: unknown key; did you mean 'bins'?"),
        ("scale: log", "scal: log", "archive.measures[0].scal: unknown key; did you mean 'scale'?"),
        ("low: 0,", "lwo: 0,", "archive.measures[1].low: this key is missing (is 'lwo' a misspelling of it?)"),
        ("kind: random", "kidn: random", "emitters[0].kind: this key is missing (is 'kidn' a misspelling of it?)"),
        ("seed: 3", "sed: 3", "search.sed: unknown key; did you mean 'seed'?"),
        ("evaluations:", "evalutions:", "budget.evalutions: unknown key; did you mean 'evaluations'?"),
        ("evaluations:", "xyz:", "budget.xyz: unknown key; known: evaluations, trainings, seconds, patience"),
    ],
)
def test_a_misspelt_key_is_named_with_its_near_miss(file: Path, written: str, misspelt: str, line: str) -> None:
    assert written in TEXT
    file.write_text(TEXT.replace(written, misspelt, 1))
    with pytest.raises(UsageError, match=f"(?m)^{re.escape(f'{file}: {line}')}$"):
        load(file)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("search.seed=1.5", "search.seed: input should be a valid integer, got 1.5"),
        ("search.seed=true", "search.seed: input should be a valid integer, got True"),
        ("search.seed=-1", "search.seed: input should be greater than or equal to 0, got -1"),
        ("search.order=sorted", "search.order: input should be 'arrival' or 'id', got 'sorted'"),
        ("search.chunk=0", "search.chunk: expected auto, or a whole number from 1 to 100,000, got '0'"),
        ("search.chunk=most", "search.chunk: expected auto, or a whole number from 1 to 100,000, got 'most'"),
        ("search.chunk=true", "search.chunk: expected auto, or a whole number from 1 to 100,000, got 'True'"),
        ("search.window=4", "search: window must hold a chunk of 8, got 4"),
        ("archive.kind=3", "archive.kind: input should be a valid string, got 3"),
        ("archive.outside=keep", "archive.outside: input should be 'drop' or 'clip', got 'keep'"),
        ("archive.objective=3", "archive.objective: expected keys (metric, low, high), got 3"),
        ("archive.objective.low=x", "archive.objective.low: input should be a valid number, got 'x'"),
        ("archive.measures=[]", "archive.measures: list should have at least 1 item after validation, not 0, got []"),
        ("archive.measures=macs", "archive.measures: input should be a valid list, got 'macs'"),
        (
            "archive.measures=[macs]",
            "archive.measures[0]: expected keys (metric, low, high, bins, scale, categories), got 'macs'",
        ),
        ("archive.measures[0].bins=0", "archive.measures[0].bins: input should be greater than or equal to 1, got 0"),
        ("archive.measures[0].bins=5.0", "archive.measures[0].bins: input should be a valid integer, got 5.0"),
        ("archive.measures[0].scale=ln", "archive.measures[0].scale: input should be 'linear' or 'log', got 'ln'"),
        ("archive.measures[0].high=.inf", "archive.measures[0].high: input should be a finite number, got inf"),
        ("archive.measures[1].low=0.7", "archive.measures[1]: low must be below high, got low=0.7 and high=0.7"),
        ("archive.measures[1].low=2", "archive.measures[1]: low must be below high, got low=2 and high=0.7"),
        ("archive.measures[0].low=0", "archive.measures[0]: a logarithmic axis starts above 0, got low=0"),
        ("archive.measures[1].metric=macs", "archive: each measure is named once, got macs, macs"),
        ("space=sparse_moe", "space: expected keys (kind), got 'sparse_moe'"),
        ("space.kind=5", "space.kind: input should be a valid string, got 5"),
        ("emitters={kind: random}", "emitters: input should be a valid list, got {'kind': 'random'}"),
        ("emitters=[]", "emitters: list should have at least 1 item after validation, not 0, got []"),
        ("emitters[0].weight=0", "emitters[0].weight: input should be greater than 0, got 0"),
        ("budget.evaluations=null", "budget: give evaluations, trainings or seconds, or several of them"),
        ("budget.evaluations=0", "budget.evaluations: input should be greater than or equal to 1, got 0"),
        ("budget.seconds=0", "budget.seconds: input should be greater than 0, got 0"),
        ("budget.seconds=1 h", "budget.seconds: input should be a valid number, got '1 h'"),
        ("budget.trainings=0.5", "budget.trainings: input should be greater than or equal to 1, got 0.5"),
        ("budget.patience={gain: 0.1}", "budget.patience.evaluations: this key is missing"),
        (
            "budget.patience={evaluations: 5, gain: 0}",
            "budget.patience.gain: input should be greater than 0, got 0",
        ),
        (
            "search.rungs={fidelities: [1/3, 1/9, 1]}",
            "search.rungs.fidelities: expected fidelities that rise and end at 1, such as [1/9, 1/3, 1], got"
            f" [{1 / 3}, {1 / 9}, 1.0]",
        ),
        (
            "search.rungs={fidelities: [0.25, 0.5]}",
            "search.rungs.fidelities: expected fidelities that rise and end at 1, such as [1/9, 1/3, 1], got"
            " [0.25, 0.5]",
        ),
        ("search.rungs={fidelities: [0, 1]}", "search.rungs.fidelities[0]: input should be greater than 0, got 0"),
        (
            "search.rungs={fidelities: [1/0, 1]}",
            "search.rungs.fidelities: expected a number or a fraction such as 1/9, got '1/0'",
        ),
        (
            "search.rungs={fidelities: [1/3, 1], continued: false}",
            "search.rungs.continued: unknown key; did you mean 'continue'?",
        ),
        ("search.inherit=1.5", "search.inherit: input should be less than or equal to 1, got 1.5"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(change: str, line: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(f'run.yaml: {line}')}$"):
        changed(change)


@pytest.mark.parametrize("key", ["space", "evaluator", "archive", "budget"])
def test_a_missing_key_is_named(key: str) -> None:
    data = parse(TEXT, "run.yaml")
    del data[key]
    with pytest.raises(UsageError, match=f"^run.yaml: {key}: this key is missing$"):
        check(data, "run.yaml")


def test_every_mistake_has_its_line() -> None:
    with pytest.raises(UsageError, match=r"search\.sed: unknown key") as refusal:
        changed("search.sed=3", "archive.measures[0].bins=x", "budget.evaluations=0")
    assert [line.split(": ")[:2] for line in str(refusal.value).splitlines()] == [
        ["run.yaml", "archive.measures[0].bins"],
        ["run.yaml", "search.sed"],
        ["run.yaml", "budget.evaluations"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected keys such as space, evaluator, archive and budget, got None"),
        ("- 1", r"expected keys such as .*, got \[1\]"),
        ("a: [", "not valid YAML: "),
        ("a: 1\nb: 2\na: 3\n", "key 'a' stands twice"),
        ("space: {kind: x, n: 1, n: 2}", "key 'n' stands twice"),
        ("a: !!python/name:os.system", "not valid YAML: could not determine a constructor"),
        ("a: \x00", "not valid YAML: "),
    ],
)
def test_what_is_no_run_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"(?s)^run.yaml: .*{message}"):
        parse(text, "run.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing.yaml: no such file; expected a run file in YAML"):
        load(tmp_path / "nothing.yaml")
    with pytest.raises(UsageError, match=r"expected a file, got a folder; expected a run file in YAML"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match=r"pipe.yaml: expected a file, got a pipe or a device"):
        load(tmp_path / "pipe.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"a: \xfa")
    with pytest.raises(UsageError, match=r"binary.yaml: expected text in UTF-8, got the byte 0xfa at 3"):
        load(tmp_path / "binary.yaml")


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("1E6", 1e6), ("-2e+4", -2e4), ("1.5e3", 1500.0)])
def test_numbers_with_an_exponent_are_numbers(text: str, value: float) -> None:
    assert parse(f"x: {text}", "run.yaml") == {"x": value}
    assert override({}, [f"x={text}"], "run.yaml") == {"x": value}


def test_words_with_an_e_stay_words() -> None:
    assert parse("x: [1e, e3, 1e3x, 0x1e3]", "run.yaml") == {"x": ["1e", "e3", "1e3x", 0x1E3]}


# ------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["budget.evaluations=7"], {"budget.evaluations": 7}),
        (["budget.seconds=60"], {"budget.evaluations": 100, "budget.seconds": 60.0}),
        (["archive.measures[0].bins=5"], {"archive.measures.0.bins": 5, "archive.measures.1.bins": 10}),
        (["archive.measures.1.bins=5"], {"archive.measures.0.bins": 20, "archive.measures.1.bins": 5}),
        (["archive.objective=macs"], {"archive.objective.metric": "macs"}),
        (["archive.objective.low=0.1"], {"archive.objective.metric": "val_accuracy", "archive.objective.low": 0.1}),
        (["evaluator.data=digits"], {"evaluator.training.epochs": 3, "evaluator.data": "digits"}),
        (["evaluator.options.momentum=0.5"], {"evaluator.options": {"momentum": 0.5}}),
        (["space={kind: 'my:S', x: 1}"], {"space": {"kind": "my:S", "x": 1}}),
        (["executor.kind=ray"], {"executor.kind": "ray"}),
        (["emitters=[{kind: random}]"], {"emitters": [{"kind": "random", "weight": 1.0}]}),
        (["search.seed=1", "search.seed=2"], {"search.seed": 2}),
        (["evaluator.title=a=b"], {"evaluator.title": "a=b"}),
        ({"budget": {"seconds": 5.0}}, {"budget.evaluations": 100, "budget.seconds": 5.0}),
        ({"archive.measures[1]": {"bins": 4}}, {"archive.measures.1.bins": 4, "archive.measures.1.high": 0.7}),
        (
            {"archive": {"objective": {"high": 0.9}}},
            {"archive.objective.metric": "val_accuracy", "archive.objective.high": 0.9},
        ),
        ({}, {"budget.evaluations": 100}),
    ],
    ids=str,
)
def test_overrides_take_their_place(file: Path, overrides, expected: dict) -> None:
    config = load(file, overrides).dump()
    for key, value in expected.items():
        found: Any = config
        for part in key.split("."):
            found = found[int(part) if isinstance(found, list) else part]
        assert found == value


def test_overrides_leave_the_data_alone() -> None:
    data = parse(TEXT, "run.yaml")
    override(data, ["archive.measures[0].bins=5", "archive.objective.low=0"], "run.yaml")
    assert data == parse(TEXT, "run.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget.evaluations", "'budget.evaluations': expected key=value, e.g. budget.evaluations=100"),
        ("=3", "'=3': expected key=value"),
        ("budget.evaluations=[", "'budget.evaluations=[': the value is not valid YAML"),
        ("[]=3", "run.yaml: '[]' names no key"),
        ("archive.measures[2].bins=3", "run.yaml: archive.measures[2].bins: expected an index below 2, got '2'"),
        ("archive.measures[-1].bins=3", "run.yaml: archive.measures[-1].bins: expected an index below 2, got '-1'"),
        ("archive.measures.macs=3", "run.yaml: archive.measures.macs: expected an index below 2, got 'macs'"),
        ("budgte.evaluations=3", "run.yaml: budgte: unknown key"),
        ("search.chnk=3", "run.yaml: search.chnk: unknown key; did you mean 'chunk'?"),
    ],
)
def test_an_override_that_has_no_place_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        changed(text)


# ------------------------------------------------------------------ dump


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["budget={seconds: 1.5}", "search.window=64", "archive.objective={metric: macs, low: 0, high: 1e9}"],
        ["space={kind: 'my:S', nothing: null, endless: .inf, nested: {a: [1, {b: 2.5}]}}"],
    ],
    ids=["plain", "limits", "arguments"],
)
def test_what_is_dumped_is_read_again(overrides: list[str]) -> None:
    config = changed(*overrides)
    assert check(config.dump(), "run.yaml") == config


def test_a_dump_keeps_arguments_that_are_none_or_infinite() -> None:
    assert changed("space={kind: 'my:S', x: null, y: .inf}").dump()["space"] == {
        "kind": "my:S",
        "x": None,
        "y": math.inf,
    }


# --------------------------------------------------------------- helpers


@pytest.mark.parametrize(
    ("location", "text"),
    [(("archive", "measures", 0, "low"), "archive.measures[0].low"), (("budget",), "budget"), ((), "")],
)
def test_places_are_written_as_overrides_name_them(location: tuple, text: str) -> None:
    assert dotted(location) == text


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (["evaluations", "seconds"], "; did you mean 'evaluations'?"),
        (["a", "b"], "; known: a, b"),
        ([], "; known: none"),
    ],
)
def test_near_misses_are_suggested(known: list[str], text: str) -> None:
    assert suggest("evalutions", known) == text


def test_what_a_run_folder_keeps_reads_back_equal() -> None:
    odd = {"id": "695e0514", "rate": 1e-05, "many": 5e10, "on": ["no", "0o17", "2026-11-28", "1:30", "", None, -0.0]}
    config = check({**parse(TEXT, "run.yaml"), "space": {"kind": "x", **odd}, "imported": [odd]}, "run.yaml")
    again = check(parse(dump_yaml(config.dump()), "run.yaml"), "run.yaml")
    assert again == config
    assert repr(again) == repr(config)


# ------------------------------------------------------- leaving a kind


@pytest.mark.parametrize(
    ("overrides", "section", "expected"),
    [
        (["executor.kind=inline"], "executor", {"kind": "inline"}),
        (["executor=inline"], "executor", {"kind": "inline"}),
        (["executor={kind: inline}"], "executor", {"kind": "inline"}),
        ({"executor": {"kind": "inline"}}, "executor", {"kind": "inline"}),
        ({"executor": "inline"}, "executor", {"kind": "inline"}),
        (["executor.kind=ray"], "executor", {"kind": "ray", "workers": 2, "timeout_seconds": 9}),
        (["executor.workers=3"], "executor", {"kind": "ray", "workers": 3, "timeout_seconds": 9}),
        (["executor.kind=inline", "executor.workers=4"], "executor", {"kind": "inline", "workers": 4}),
        (["emitters[0].kind=random"], "emitters", [{"kind": "random", "weight": 3.0}]),
        (["emitters.0.kind=evolutionary"], "emitters", [{"kind": "evolutionary", "weight": 3.0, "initial": 7}]),
        (["metrics[0].kind=modularity"], "metrics", [{"kind": "modularity", "name": "mine"}]),
        (["evaluator.kind=retina"], "evaluator", {"kind": "retina"}),
        (["space.kind=conv_blocks"], "space", {"kind": "conv_blocks"}),
    ],
    ids=str,
)
def test_an_override_leaves_a_kind_with_its_keys(tmp_path: Path, overrides, section: str, expected) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "space: {kind: sparse_moe, depth: [1, 2]}\n"
        "evaluator: {kind: supervised, data: digits, training: {epochs: 2}}\n"
        "archive: {objective: val_loss, measures: [{metric: macs, low: 0, high: 9}]}\n"
        "emitters: [{kind: map_elites, weight: 3, initial: 7, crossover: 0.1}]\n"
        "executor: {kind: ray, workers: 2, timeout_seconds: 9}\n"
        "metrics: [{kind: latency, batch: 4, name: mine}]\n"
        "budget: {evaluations: 5}\n"
    )
    assert load(file, overrides, Registry()).dump()[section] == expected


def test_of_a_data_set_and_of_a_plug_in(tmp_path: Path) -> None:
    base = "evaluators.supervised"
    plugin = f"from {base} import Supervised\n\n\nclass Mine(Supervised):\n    pass\n"
    (tmp_path / "kinds_to_leave.py").write_text(plugin)
    data = parse(TEXT, "run.yaml")
    data["evaluator"] = {"kind": "supervised", "data": {"kind": "mnist", "folder": "/somewhere"}, "stack": 2}
    changes = ["evaluator.data.kind=digits", "evaluator.kind=kinds_to_leave:Mine"]
    found = override(data, changes, "run.yaml", Registry(tmp_path))
    assert found["evaluator"] == {"kind": "kinds_to_leave:Mine", "data": {"kind": "digits"}, "stack": 2}
    nowhere = override(data, ["evaluator.kind=image"], "run.yaml", Registry(tmp_path))  # refused when it is built
    assert nowhere["evaluator"].keys() == data["evaluator"].keys()


def test_rungs_are_fractions_or_numbers_and_are_written_as_they_are_read() -> None:
    config = changed("search.rungs={fidelities: [1/9, 0.5, 1], continue: false}", "search.inherit=true")
    assert config.search.rungs is not None
    assert config.search.rungs.fidelities == [1 / 9, 0.5, 1]
    assert (config.search.rungs.promote, config.search.rungs.continued, config.search.inherit) == ("cell", False, 1)
    assert check(config.dump(), "run.yaml") == config
    assert changed("search.inherit=false").search.inherit == 0
