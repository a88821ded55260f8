"""Run files of earlier versions: those of logs are read, others are refused with what to write."""

from __future__ import annotations

from typing import Any

import pytest

from qd.config import check, from_log
from qd.errors import UsageError

DATA: dict[str, Any] = {
    "space": {"kind": "sparse_moe"},
    "evaluator": {"kind": "supervised"},
    "archive": {"objective": "val_accuracy", "measures": [{"metric": "latency", "low": 0.1, "high": 9}]},
    "budget": {"evaluations": 4},
}
LATENCY = {"device": "cpu", "batch": 16, "threads": 1, "warm_up": 5, "repeats": 5}


def test_the_latency_of_an_old_log_is_a_metric():
    config = from_log(DATA | {"latency": LATENCY}, "log.sqlite")
    assert config.dump()["metrics"] == [{"kind": "latency", **LATENCY}]
    assert from_log(DATA | {"latency": None}, "log.sqlite").metrics == []


def test_a_log_of_today_is_read_as_it_is():
    config = check(DATA | {"metrics": ["latency", {"kind": "latency", "batch": 4, "name": "four"}]}, "run.yaml")
    assert from_log(config.dump(), "log.sqlite") == config


@pytest.mark.parametrize(
    ("given", "write"),
    [
        ({"batch": 16, "repeats": 5}, r"write metrics: \[\{kind: latency, batch: 16, repeats: 5\}\]"),
        ({}, r"write metrics: \[\{kind: latency\}\]"),
        (None, "leave this key out"),
    ],
)
def test_the_section_latency_is_refused_with_what_to_write(given, write):
    with pytest.raises(UsageError, match=rf"run\.yaml: latency: is one of the metrics now; {write}"):
        check(DATA | {"latency": given}, "run.yaml")


def test_a_guide_is_now_a_surrogate():
    before = DATA | {"emitters": [{"kind": "guided", "guide": "own", "pool": 9}, {"kind": "random"}]}
    after = DATA | {"emitters": [{"kind": "guided", "surrogate": "own", "pool": 9}, {"kind": "random"}]}
    assert from_log(before, "log.sqlite") == from_log(after, "log.sqlite")
    arguments = from_log(after, "log.sqlite").emitters[0].arguments
    assert (arguments["surrogate"], arguments["pool"]) == ("own", 9)


def test_a_search_that_began_without_screening_goes_on_with_what_it_had():
    before = DATA | {"emitters": [{"kind": "guided"}], "search": {"seed": 3}}
    config = from_log(before, "log.sqlite")
    assert not config.search.screen
    assert config.emitters[0].arguments["surrogate"] == "forest"
    today = check(before, "run.yaml")
    assert today.search.screen
    assert from_log(today.dump(), "log.sqlite") == today


def test_today_s_mistakes_are_still_refused():
    with pytest.raises(UsageError, match=r"log\.sqlite: budgett"):
        from_log(DATA | {"budgett": {}}, "log.sqlite")


IMAGES = {"kind": "image_classification", "data": "fashion_mnist"}
SUPERVISED = {"kind": "supervised", "data": "fashion_mnist"}
STREAM = {"kind": "task_stream", "tasks": [{"data": "digits"}, {"data": "mnist", "inverted": True}]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (IMAGES | {"folder": "/x"}, SUPERVISED | {"data": {"kind": "fashion_mnist", "folder": "/x"}}),
        (IMAGES | {"folder": None}, SUPERVISED),
        (IMAGES | {"epochs": 2, "bfloat16": True}, SUPERVISED | {"training": {"epochs": 2, "precision": "bfloat16"}}),
        (
            IMAGES | {"train_examples": 9, "validation_examples": None, "split_seed": 3, "stack": 4},
            SUPERVISED | {"data": {"kind": "fashion_mnist", "split": {"train": 9, "seed": 3}}, "stack": 4},
        ),
        (
            STREAM | {"mnist_folder": "/x", "fashion_mnist_folder": "/y", "epochs": 1},
            STREAM
            | {"tasks": [{"data": "digits"}, {"data": {"kind": "mnist", "folder": "/x"}, "inverted": True}]}
            | {"training": {"epochs": 1, "batch_size": 50, "learning_rate": 0.003}},
        ),
        ({"kind": "nas_bench_graph", "folder": "/x"}, {"kind": "nas_bench_graph", "folder": "/x"}),
    ],
)
def test_keys_of_an_old_log_stand_where_they_do_today(before, after):
    assert from_log(DATA | {"evaluator": before}, "log.sqlite") == check(DATA | {"evaluator": after}, "log.sqlite")


@pytest.mark.parametrize(
    ("evaluator", "write"),
    [
        (
            IMAGES | {"folder": "/x"},
            r": image_classification is supervised now; write evaluator: "
            r"\{kind: supervised, data: \{kind: fashion_mnist, folder: /x\}\}$",
        ),
        (
            IMAGES | {"epochs": 2},
            r": image_classification .*\{kind: supervised, data: fashion_mnist, training: \{epochs: 2\}\}",
        ),
        (STREAM | {"mnist_folder": "/x"}, r"\.mnist_folder: stands elsewhere now; write .*\{kind: mnist, folder: /x\}"),
        (STREAM | {"epochs": 1}, r"\.epochs: stands elsewhere now; write .*training: \{epochs: 1, batch_size: 50"),
    ],
)
def test_keys_of_earlier_versions_are_refused_with_what_to_write(evaluator, write):
    with pytest.raises(UsageError, match=rf"run\.yaml: evaluator{write}"):
        check(DATA | {"evaluator": evaluator}, "run.yaml")
