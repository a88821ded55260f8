"""Run files changed at random: refused at the door in a few words, or a search that ends well."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from qd.plain_data import dump_yaml, parse_yaml
from tests.mutations import mutate

SPANS = [{"metric": name, "low": 1, "high": 100, "bins": 4, "scale": "log"} for name in ("x", "y", "most")]
"""Three: of fewer a map is drawn in the end, which takes its time."""
FILES = [
    {
        "archive": {"measures": SPANS, "outside": "clip", "refine": [{"evaluations": 10, "bins": 8}]},
        "emitters": [{"kind": "nsga2", "weight": 2.0, "objectives": ["score", "most"], "initial": 4, "population": 3}],
    },
    {
        "archive": {"kind": "cvt", "measures": SPANS, "cells": 5, "samples": 50, "centroid_seed": 1},
        "emitters": [{"kind": "novelty_local_competition", "initial": 4, "population": 3, "neighbours": 2}],
    },
    {
        "archive": {"kind": "unstructured", "measures": SPANS, "novelty": 0.1, "neighbours": 2},
        "emitters": [{"kind": "map_elites", "initial": 4, "crossover": 0.2}, {"kind": "random"}],
        "log": {"keep": "all", "every": 2},
    },
]


@pytest.mark.parametrize("number", range(len(FILES)))
def test_mutated_run_files(cheap, qd_command, number: int) -> None:
    search = {"seed": 1, "chunk": 5, "window": 10, "order": "id", "noise": "none"}
    budget = {"evaluations": 15, "seconds": 30.0}
    file = cheap(evaluator={"failing": 0.3}, search=search, budget=budget, executor={"kind": "inline"}, **FILES[number])
    data, rng = file.read_text(), random.Random(number)
    statuses = set()
    for attempt in range(15):
        changed = parse_yaml(data)
        said = mutate(changed, rng)
        file.write_text(dump_yaml(changed))
        out = Path(f"out_{attempt}")
        answer = qd_command("run", file, "--out", out, "search.chunk=5", "budget.evaluations=15")
        statuses.add(answer.status)
        assert answer.status in (0, 1, 2), said
        if answer.status == 2:
            assert len(answer.err) < 1000, said
            assert not out.exists(), said
    assert {0, 2} <= statuses


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("=", "expected key=value"),
        ("archive..kind=grid", "'archive..kind' names no key"),
        (".budget=1", "'.budget' names no key"),
        ("archive.measures[0=1", "names no key"),
        (f"archive.measures[{'9' * 5000}].bins=1", "names no key|expected an index below 2"),
        ("archive.measures[²].bins=1", "expected an index below 2, got '²'"),
        ("archive.measures[0].metric.x=1", "archive.measures[0].metric: input should be a valid string"),
        (f"search.seed={'1' * 5000}", "a number of 5,000 digits"),
        (f"search.seed={'1' * 400}", "a whole number beyond 1.8e308"),
        ("budget.seconds=1e400", "1e400 is beyond the greatest number"),
        ("budget.seconds=.nan", "budget.seconds: input should be"),
        ("search.seed=true", "search.seed: input should be a valid integer, got True"),
        ("search.seed=017", "versions of YAML differ about 017"),
        ("log=&a [*a]", "nested deeper than 64 levels"),
        (f"log={'[' * 10000}", "nested deeper than 64 levels"),
        ("log={a: 1, a: 2}", "the key 'a' stands twice"),
        ("log={", "the value is not valid YAML"),
        ("serch.seed=1", "serch: unknown key; did you mean 'search'?"),
        ("a" * 5000 + "=1", "unknown key"),
    ],
)
def test_odd_overrides_are_refused(cheap, qd_command, override: str, message: str) -> None:
    answer = qd_command("run", cheap(), "--out", "out", override)
    assert answer.status == 2
    assert any(part in answer.err for part in message.split("|"))
    assert len(answer.err) < 1000
    assert not Path("out").exists()
