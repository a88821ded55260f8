"""`search.chunk: auto` is a number from the first candidate on, and stays it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.config import check
from qd.runs.chunk import chosen_chunk
from qd.testing.toys import copy_toy

EVALUATOR = """
import os

from free import Free


class Wide(Free):
    @property
    def best_chunk(self):
        return int(os.environ["BEST"])
"""
RUN_FILE: dict[str, Any] = {
    "space": {"kind": "free:Vectors"},
    "evaluator": {"kind": "wide:Wide"},
    "archive": {"objective": "score", "measures": [{"metric": "a", "low": 0, "high": 1}]},
    "search": {"chunk": "auto", "order": "id"},
    "budget": {"evaluations": 100},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEST", "64")
    copy_toy("free", tmp_path)
    Path("wide.py").write_text(EVALUATOR)
    path = tmp_path / "run.yaml"
    path.write_text(repr(RUN_FILE))
    return path


@pytest.mark.parametrize(
    ("best", "workers", "keys", "size"),
    [
        (1000, 1, {"evaluations": 10**6}, 1000),
        (None, 1, {"evaluations": 10**6}, 8),
        (10**9, 1, {"seconds": 60}, 100_000),
        (1000, 1, {"evaluations": 400}, 20),  # twenty chunks
        (1000, 16, {"evaluations": 640}, 10),  # four for each worker
        (1000, 1, {"evaluations": 5}, 1),
        (1000, 1, {"trainings": 200}, 10),
        (1000, 1, {"trainings": 200, "evaluations": 100}, 5),
    ],
)
def test_a_budget_holds_some_chunks_for_every_worker(
    best: int | None, workers: int, keys: dict[str, Any], size: int
) -> None:
    assert chosen_chunk(check({**RUN_FILE, "budget": keys}, "run.yaml"), best, workers) == size


def test_a_window_is_shared_by_the_workers() -> None:
    config = check({**RUN_FILE, "search": {"chunk": "auto", "window": 60}, "budget": {"seconds": 9}}, "run.yaml")
    assert chosen_chunk(config, 1000, 4) == 15


def test_trainings_are_counted_at_the_lowest_rung() -> None:
    rungs = {"chunk": "auto", "rungs": {"fidelities": ["1/10", 1]}}
    config = check({**RUN_FILE, "search": rungs, "budget": {"trainings": 200}}, "run.yaml")
    assert chosen_chunk(config, 1000, 1) == 100


def test_the_chosen_number_is_recorded_and_shown(file: Path, qd_command: Callable[..., Any]) -> None:
    run = qd.run(file, out="auto", budget={"evaluations": 400})
    assert run.config.search.chunk == 20
    assert "chunk: 20" in Path("auto/run.yaml").read_text()
    assert "20 candidates, chosen by auto" in qd_command("show", "auto").out
    summary = run.summary()
    assert (summary["chunk"], summary["chunk_chosen"]) == (20, True)
    same = qd.run(file, out="given", budget={"evaluations": 400}, search={"chunk": 20})
    assert same.elites().equals(run.elites())
    assert not same.summary()["chunk_chosen"]


def test_a_resume_keeps_the_number_whatever_the_machine_is_now(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qd.run(file, out="first", budget={"evaluations": 100}).close()
    monkeypatch.setenv("BEST", "2")
    rest = qd.resume("first", budget={"evaluations": 300})
    assert rest.config.search.chunk == 5
    assert {size for (size,) in rest.query("SELECT COUNT(*) FROM evaluations GROUP BY batch")} == {5}


def test_what_says_nothing_gets_the_usual_chunk(file: Path) -> None:
    run = qd.run(file, out="out", evaluator={"kind": "free:Free"}, budget={"evaluations": 200})
    assert run.config.search.chunk == 8
