"""What `qd data` finds out, on data sets that are small enough to know."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import qd
from evaluators.data import DataSet, Examples, Part, Split
from evaluators.preprocessing import AsItIs, Preprocessing, Scaling, Standardise
from evaluators.scores import Scores
from qd.errors import UsageError
from qd.inspecting.baselines import baselines
from qd.inspecting.facts import facts
from qd.inspecting.sheet import sheet
from qd.registry import Registry
from qd.testing.toys.stripes import Stripes
from search_spaces import Task
from search_spaces.task import Classes, NextToken, Series, Tokens, Values, Vector


@dataclass(frozen=True)
class Lines(DataSet):
    """Values that are linear in three numbers and a constant; the second is missing here and there."""

    name = "lines"
    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Vector(4), Values(1))

    def read(self) -> Examples:
        rng = np.random.default_rng(0)
        inputs = np.concatenate([rng.normal(size=(120, 3)), np.ones((120, 1))], 1)
        targets = 7 + inputs[:, :3] @ np.array([[3.0], [0.1], [-2.0]])
        inputs[:9, 1] = np.nan
        inputs[100:] = inputs[100]  # twenty with the inputs of one, and other targets
        return Examples(inputs, targets)

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:], Scaling.of(train.targets))

    def shown(self, raw: np.ndarray) -> list[dict[str, Any]]:
        return [dict(zip(("a", "b", "c", "one"), row, strict=True)) for row in raw.tolist()]


@dataclass(frozen=True)
class Waves(DataSet):
    """Slow and fast waves of two channels; parts are given, and one example is in two of them."""

    name = "waves"
    class_names = ("slow", "fast", "rare $x$")
    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Series(12, 2), Classes(3))

    def read(self) -> Examples:
        rng = np.random.default_rng(0)
        targets = np.array([0, 1] * 30 + [2, 2, 2]).astype(np.int64)
        steps = np.arange(12)[:, None]
        inputs = np.stack([np.sin(steps * (1 + index)) + rng.normal(0, 0.1, (12, 2)) for index in targets.tolist()])
        parts = np.full(63, Part.TRAIN, np.int8)
        parts[40:50], parts[50:60] = Part.VALIDATION, Part.TEST
        inputs[55] = inputs[45] = inputs[5]
        return Examples(inputs, targets, parts)

    def fit(self, train: Examples) -> Preprocessing:
        return Standardise.per_feature(train.inputs[:])


@dataclass(frozen=True)
class Sentences(DataSet):
    """Texts of tokens: the class is whether the token 3 is there; or of which the next is to be told."""

    name = "sentences"
    next_token: bool = False
    split: Split = Split()

    @property
    def class_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return () if self.next_token else ("without", "with")

    @property
    def task(self) -> Task:
        return Task(Tokens(10, 6), NextToken(6) if self.next_token else Classes(2))

    def read(self) -> Examples:
        rng = np.random.default_rng(0)
        if self.next_token:  # 1, 2, 3, 1, 2, 3, ...
            tokens = (np.arange(200)[:, None] + np.arange(11)) % 3 + 1
            return Examples(tokens[:, :-1], tokens[:, 1:])
        tokens = rng.choice([1, 2, 4, 5], (200, 10))
        tokens[::2, 4] = 3
        return Examples(tokens, (tokens == 3).any(1).astype(np.int64))

    def fit(self, train: Examples) -> Preprocessing:
        return AsItIs()

    def shown(self, raw: np.ndarray) -> list[str]:
        return ["".join("_abcde"[token] for token in row) for row in raw.tolist()]


def scored(data: DataSet) -> dict[str, dict[str, float]]:
    found = baselines(data, Scores(data.task, scaling=data.preprocessing().outputs))
    return {one.name: dict(one.scores) for one in found}


def test_values_and_missing_numbers_are_told() -> None:
    found = facts(Lines())
    assert sum(found["parts"].values()) == 120
    assert found["missing"] == {"input 1": 9}
    assert found["inputs"]["constant"] == 1
    assert found["values"][0]["low"] < 0 < found["values"][0]["high"]
    assert sum(found["duplicates"]["within"].values()) == 19
    assert not any(found["duplicates"]["across"].values())
    assert found["duplicates"]["with another target"] == 19
    assert any("another target" in line for line in found["warnings"])
    json.dumps(found, allow_nan=False)


def test_classes_and_what_is_in_two_parts_are_told() -> None:
    found = facts(Waves())
    assert found["classes"][2] == {"name": "rare $x$", "train": 3, "validation": 0, "test": 0}
    assert found["duplicates"]["across"] == {"train and validation": 1, "train and test": 1, "validation and test": 1}
    warned = "\n".join(found["warnings"])
    assert "1 examples have inputs that are in train and test" in warned
    assert "1 of 3 classes have fewer than 10 training examples (rare $x$: 3)" in warned


def test_baselines_of_values_and_classes() -> None:
    found = scored(Lines())
    assert found["mean"]["val_r2"] == pytest.approx(0, abs=0.3)
    assert found["ridge regression"]["val_r2"] > found["mean"]["val_r2"]
    waves = scored(Waves())
    assert waves["majority class"]["val_accuracy"] == 0.5
    assert waves["logistic regression"]["val_accuracy"] > 0.8


def test_baselines_of_tokens() -> None:
    found = scored(Sentences())
    assert found["logistic regression on bags of tokens"]["val_accuracy"] == 1
    following = scored(Sentences(next_token=True))
    assert following["shares of tokens (unigram)"]["val_bits_per_token"] == pytest.approx(np.log2(3), abs=0.05)
    assert following["token before (bigram)"]["val_bits_per_token"] < 0.05
    assert following["token before (bigram)"]["val_accuracy"] == 1


@pytest.mark.parametrize(
    ("data", "panels", "says"),
    [
        (Stripes(), 16, ["upright", "lying"]),
        (Waves(), 3, ["slow: one example", r"rare \$x\$: one example"]),
        (Sentences(), 1, ["without", "with"]),
        (Sentences(next_token=True), 1, ["bcabcabcab"]),
        (Lines(), 1, ["target", "a", "one"]),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_the_sheet_shows_examples(data: DataSet, panels: int, says: list[str]) -> None:
    figure = sheet(data)
    assert len(figure.axes) == panels
    written = [axes.get_title("left") for axes in figure.axes]
    for axes in figure.axes:
        written += [text.get_text() for text in axes.texts]
        written += [cell.get_text().get_text() for table in axes.tables for cell in table.get_celld().values()]
    for word in says:
        assert word in written, written


def test_a_run_file_is_looked_at(tmp_path: Path, qd_command: Callable[..., Any], monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = {"kind": "digits", "split": {"train": 300}}
    run = {
        "space": {"kind": "sparse_moe"},
        "evaluator": {"kind": "supervised", "data": data, "training": {"epochs": 2}},
        "metrics": ["latency"],
        "archive": {"objective": "val_accuracy", "measures": [{"metric": "macs", "low": 0, "high": 1e6}]},
        "budget": {"evaluations": 5},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    answer = qd_command("data", "run.yaml", "evaluator.data.split.train=200", "--out", "sheet.svg", "--json")
    assert answer.status == 0, answer.err
    found = json.loads(answer.out)
    assert found["parts"]["train"] == 200
    assert found["main"] == "val_accuracy"
    assert [one["name"] for one in found["baselines"]] == ["majority class", "logistic regression"]
    assert found["epoch"]["seconds"] > 0 and found["epoch"]["together"] > 0
    assert (tmp_path / "sheet.svg").read_text().startswith("<?xml")


def test_a_kind_is_looked_at_without_a_run_file(qd_command: Callable[..., Any]) -> None:
    answer = qd_command("data", "--kind", "digits", "--set", "split.train=200")
    assert answer.status == 0, answer.err
    assert "200 train" in answer.out
    assert "10; training examples of the largest" in answer.out
    assert "logistic regression: val_accuracy 0." in answer.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "expected a run file, or --kind and its keys"),
        (["run.yaml", "--kind", "digits"], "got both"),
        (["run.yaml", "--target", "price"], "go with --kind"),
        (["--kind", "digit"], "data.kind: unknown DataSet 'digit'; did you mean 'digits'?"),
        (["--kind", "digits", "--set", "splt.train=5"], "data.splt: unknown key; did you mean 'split'?"),
        (["--kind", "digits", "--set", "split.train=5000"], "split.train: expected 5000 examples"),
        (["--kind", "digits", "--set", "split"], "expected key=value"),
        (["--kind", "digits", "--target", "price"], "data.target: belongs to kind: "),
        (["--kind", "digits", "--out", "x.doc"], "--out x.doc: expected a file that ends in .png"),
        (["--kind", "mine:Data"], "data.kind: expected the plug-in 'mine'"),
        (["--kind", "fashion_mnist", "--set", "folder=nowhere"], "expected the files of Fashion-MNIST in"),
        (["run.yaml"], "run.yaml: no such file"),
    ],
)
def test_bad_input_is_refused_as_a_search_would(
    words: list[str], says: str, qd_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = qd_command("data", *words)
    assert answer.status == 2
    assert says in answer.err
    assert not list(tmp_path.iterdir()), "nothing was created"


def test_rows_and_texts_are_shown_as_they_stand_in_their_files(tmp_path: Path) -> None:
    rows = [f"{size},{'' if size == 3 else 'north'},{size % 2 == 0}" for size in range(30)]
    (tmp_path / "homes.csv").write_text("\n".join(["size,street,sold", *rows, "9.5,south,True", "8.5,south,True"]))
    homes = Registry().build("data", "table", {"path": str(tmp_path / "homes.csv"), "target": "sold"}, "data")
    assert homes.shown(homes.read().inputs[3:5]) == [{"size": 3, "street": None}, {"size": 4, "street": "north"}]
    (tmp_path / "play.txt").write_text("To be, or not to be. " * 20)
    for tokens, shown in (("words", "to be , or"), ("characters", "To b")):
        keys = {"path": str(tmp_path / "play.txt"), "tokens": tokens, "steps": 4}
        play = Registry().build("data", "text", keys, "data")
        assert play.shown(play.read().inputs[:1]) == [shown]


def test_an_evaluator_without_data_is_refused(tmp_path: Path) -> None:
    run = {
        "space": {"kind": "retina"},
        "evaluator": {"kind": "retina"},
        "archive": {"objective": "accuracy", "measures": [{"metric": "connection_cost", "low": 0, "high": 300}]},
        "budget": {"evaluations": 5},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    with pytest.raises(UsageError, match="retina has no `data` to look at"):
        qd.data(tmp_path / "run.yaml")
