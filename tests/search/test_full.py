"""The loop."""

from __future__ import annotations

import math
import random
import re
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import qd
from evaluators import Evaluator
from qd.candidates import Candidates, Results, Weights
from qd.errors import QdError
from qd.executors import Executor, InlineExecutor
from qd.search.loop import Ending


class Postman(Executor):
    """Evaluates inline, and delivers late, in pieces, in any order, and from several batches at once."""

    @property
    def slots(self) -> int:
        return 4

    def __init__(self, evaluator: Evaluator, seed: int) -> None:
        self._inline = InlineExecutor(evaluator)
        self._rng = random.Random(seed)
        self._bag: list[Results] = []
        self.delivered: Counter[int] = Counter()

    def submit(self, candidates: Candidates) -> None:
        self._inline.submit(candidates)

    def collect(self, timeout: float | None = None) -> list[Results]:
        for results in self._inline.collect() + self._inline.collect():
            self._bag.extend(results.take([row]) for row in range(len(results)))
        self._rng.shuffle(self._bag)
        pieces = [self._bag.pop() for _ in range(self._rng.randint(0, len(self._bag)))]
        self.delivered.update(id for piece in pieces for id in piece.evaluation_ids.tolist())
        cut = self._rng.randint(0, len(pieces))
        return [Results.join(part) for part in (pieces[:cut], pieces[cut:]) if part]

    def fetch(self, ids: Iterable[int]) -> dict[int, Weights]:
        return self._inline.fetch(ids)

    def release(self, ids: Iterable[int]) -> None:
        self._inline.release(ids)

    def close(self) -> None:
        self._inline.close()


class Clock(InlineExecutor):
    """Notes what is submitted."""

    def __init__(self, evaluator: Evaluator) -> None:
        super().__init__(evaluator)
        self.submitted: deque[Candidates] = deque()

    def submit(self, candidates: Candidates) -> None:
        self.submitted.append(candidates)
        super().submit(candidates)


def told(status: str) -> dict[int, Any]:
    """{candidate: its error} of the run's evaluations that ended so."""
    frame = qd.open_run("run").evaluations()
    return {row["id"]: row["error"] for row in frame.to_dict("records") if row["status"] == status}


def unlucky() -> set[int]:
    """Candidates whose seed is among the lowest 30 %, but for those that are invalid."""
    frame = qd.open_run("run").evaluations()
    return {row["id"] for row in frame.to_dict("records") if row["seed"] < 0.3 * 2**53} - told("invalid").keys()


@pytest.mark.parametrize("order", ["arrival", "id"])
@pytest.mark.parametrize("evaluations", [1, 7, 50, 101])
def test_the_budget_of_evaluations_is_exact(workbench, order, evaluations):
    search, ending = workbench.search(
        "run", budget={"evaluations": evaluations}, search={"order": order, "chunk": 4, "window": 9}
    )
    assert ending is Ending.BUDGET
    assert search.evaluations == evaluations
    run = qd.open_run("run")
    assert run.count == evaluations
    assert run.query("SELECT COUNT(*) FROM evaluations") == [(evaluations,)]


def test_a_budget_of_seconds_ends_the_search(workbench):
    search, ending = workbench.search("run", budget={"evaluations": None, "seconds": 0.3})
    assert ending is Ending.BUDGET
    assert search.evaluations > 0
    assert search.seconds >= 0.3
    assert qd.open_run("run").query("SELECT COUNT(*) FROM evaluations") == [(search.evaluations,)]


def test_no_more_than_the_window_is_under_way(workbench):
    executors = []
    most = 0

    def watch(search, log):
        collect = executors[0].collect

        def counting(timeout=None):
            nonlocal most
            most = max(most, len(search._in_flight))
            return collect(timeout)

        executors[0].collect = counting

    def make(parts):
        executors.append(Clock(parts.evaluator))
        return executors[0]

    workbench.search("run", make, watch, search={"chunk": 4, "window": 10})
    assert most == 8  # two whole chunks
    assert {len(batch) for batch in executors[0].submitted} == {4}


def test_every_candidate_has_its_own_seed_and_all_share_one(workbench):
    executors = []

    def make(parts):
        executors.append(Clock(parts.evaluator))
        return executors[0]

    workbench.search("run", make)
    batches = executors[0].submitted
    seeds = np.concatenate([batch.seeds for batch in batches])
    assert len(set(seeds.tolist())) == 200
    assert ((seeds >= 0) & (seeds < 2**53)).all()
    assert len({batch.shared_seed for batch in batches}) == 1


def test_duplicates_are_counted_and_not_evaluated(workbench):
    workbench.search("run", space={"side": 8}, budget={"evaluations": 100})
    run = qd.open_run("run")
    genotypes = run.query("SELECT genotype FROM candidates JOIN evaluations e ON e.candidate = candidates.id")
    assert len(set(genotypes)) == len(genotypes) == 100
    summary = run.summary()
    proposals = run.query("SELECT COUNT(*) FROM candidates")[0][0]
    assert summary["duplicates"] == proposals - 100 > 0
    twins = run.query(
        "SELECT a.genotype = b.genotype, a.id < b.id FROM candidates b JOIN candidates a ON a.id = b.twin"
    )
    assert len(twins) == summary["duplicates"]
    assert set(twins) == {(1, 1)}


def test_a_small_space_is_exhausted(workbench):
    search, ending = workbench.search("run", space={"side": 5}, budget={"evaluations": 1000})
    assert ending is Ending.EXHAUSTED
    assert search.evaluations == 5 * 5 * 2
    assert qd.open_run("run").summary()["evaluations"] == {
        "ok": 40,
        "invalid": 10,
        "failed": 0,
        "timed_out": 0,
        "lost": 0,
    }


@pytest.mark.parametrize("order", ["arrival", "id"])
def test_the_duplicate_of_a_failed_candidate_is_evaluated_in_its_place(workbench, order):
    # A quarter of all evaluations fails, by seed, so a second attempt at the same genotype mostly succeeds.
    search, ending = workbench.search(
        "run",
        space={"side": 5},
        evaluator={"failing": 0.25},
        search={"order": order, "chunk": 8, "window": 32},
        budget={"evaluations": 1000},
    )
    assert ending is Ending.EXHAUSTED
    run = qd.open_run("run")
    summary = run.summary()
    assert summary["evaluations"]["ok"] + summary["evaluations"]["invalid"] == 50  # each has its answer in the end
    assert summary["evaluations"]["failed"] > 0
    assert summary["duplicates"] == search.duplicates
    promoted = run.query(
        "SELECT e.id, first.id, b.genotype = a.genotype, r._status FROM evaluations e"
        " JOIN candidates b ON b.id = e.candidate JOIN candidates a ON a.id = b.twin"
        " JOIN evaluations first ON first.candidate = a.id JOIN results r ON r._evaluation = first.id"
    )
    assert promoted  # evaluated though they have a twin, which failed before them
    assert all(later > earlier and same and status == 2 for later, earlier, same, status in promoted)


def test_a_failed_twin_of_the_same_batch_is_replaced(workbench):
    # The whole space is proposed in one batch, many genotypes more than once; nothing else is ever asked.
    workbench.search(
        "run",
        space={"side": 2},
        evaluator={"failing": 0.9},
        emitters=[{"kind": "random"}],
        search={"chunk": 8, "window": 8, "seed": 1},
        budget={"evaluations": 16},
    )
    run = qd.open_run("run")
    first_batch = run.query(
        "SELECT DISTINCT c.key FROM evaluations e JOIN candidates c ON c.id = e.candidate"
        " JOIN results r ON r._evaluation = e.id WHERE batch = 0 AND r._status = 2"
        " AND EXISTS (SELECT 1 FROM candidates d WHERE d.twin = c.id)"
    )
    second_batch = run.query(
        "SELECT c.key, c.twin IS NOT NULL FROM evaluations e JOIN candidates c ON c.id = e.candidate WHERE batch = 1"
    )
    assert first_batch
    assert {(key, 1) for (key,) in first_batch} <= set(second_batch)


def test_emitters_share_a_run_by_weight(workbench):
    emitters = [{"kind": "random", "weight": 3}, {"kind": "map_elites"}, {"kind": "random", "weight": 1}]
    workbench.search("run", emitters=emitters, budget={"evaluations": 1000}, space={"side": 1000})
    shares = dict(qd.open_run("run").query("SELECT emitter, COUNT(*) FROM candidates GROUP BY emitter"))
    total = sum(shares.values())
    assert shares["random"] / total == pytest.approx(0.6, abs=0.06)
    assert shares["map_elites"] / total == pytest.approx(0.2, abs=0.05)
    assert shares["random_2"] / total == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("order", ["arrival", "id"])
@pytest.mark.parametrize("seed", range(5))
def test_every_evaluation_is_told_once_however_it_arrives(workbench, order, seed):
    executors = []

    def make(parts):
        executors.append(Postman(parts.evaluator, seed))
        return executors[0]

    search, ending = workbench.search("run", make, evaluator={"failing": 0.2}, search={"order": order})
    assert ending is Ending.BUDGET
    assert search.evaluations == 200
    assert executors[0].delivered == Counter(range(1, 201))
    run = qd.open_run("run")
    assert [id for (id,) in run.query("SELECT _evaluation FROM results ORDER BY 1")] == list(range(1, 201))
    assert run.archive.elites == search.archive.elites
    assert run.archive.qd_score == pytest.approx(search.archive.qd_score)


@pytest.mark.parametrize("seed", range(5))
def test_under_order_id_the_log_does_not_depend_on_the_order_of_arrival(workbench, log_tables, seed):
    kind = f"{workbench.module}:Trained"
    settings = {
        "space": {"side": 9},
        "evaluator": {"kind": kind, "failing": 0.3},
        "search": {"chunk": 5, "window": 23},
        "budget": {"evaluations": 150},
    }
    workbench.search("inline", **settings)
    workbench.search("postman", lambda parts: Postman(parts.evaluator, seed), **settings)
    inline, postman = (workbench.folder / name for name in ("inline", "postman"))
    assert log_tables(inline) == log_tables(postman)
    kept = sorted(path.name for path in (inline / "weights").iterdir())
    assert kept == sorted(path.name for path in (postman / "weights").iterdir())


def test_the_same_seed_gives_the_same_log_and_another_seed_another(workbench, log_tables):
    settings = {"evaluator": {"failing": 0.1}, "emitters": [{"kind": "map_elites"}, {"kind": "random", "weight": 0.5}]}
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        qd.run(workbench.write(search={"seed": seed, "order": "arrival"}, **settings), out=name)
    one, two, other = (log_tables(workbench.folder / name) for name in ("one", "two", "other"))
    assert one == two
    assert one["candidates"] != other["candidates"]


def test_the_search_goes_on_after_failures_and_keeps_their_traceback(workbench):
    workbench.search("run", evaluator={"failing": 0.4})
    failed = told("failed")
    assert 40 < len(failed) < 120
    for error in failed.values():
        assert error.startswith("Traceback")
        assert error.endswith("RuntimeError: no luck today\n")
    invalid = told("invalid")
    assert len(invalid) > 0
    assert all(re.fullmatch(r"(\d+) and \1 are equal", error) for error in invalid.values())
    frame = qd.open_run("run").evaluations()
    for row in frame.to_dict("records"):
        assert math.isnan(row["score"]) == (row["status"] != "ok")
        assert (row["error"] is None or row["error"] != row["error"]) == (row["status"] == "ok")


ANSWERS = {
    'float("nan")': "metric score is nan: expected finite numbers",
    'float("inf")': "metric score is inf: expected finite numbers",
    '"high"': "ValueError: could not convert string to float: 'high'",
    "None": "metric score is nan",
}


def answering(workbench, answer: str) -> None:
    """Let the evaluator answer so where it has little luck."""
    text = workbench.plugin.read_text()
    unlucky = f'if luck < 0.3:\n            return {answer}\n        return {{"score"'
    workbench.plugin.write_text(text.replace('return {"score"', unlucky))


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_no_number_is_a_failure_of_its_own_evaluation_alone(workbench, answer):
    answering(workbench, f'{{"score": {answer}, "width": x, "height": y, "order": 0}}')
    workbench.search("run", search={"chunk": 8})
    failed = told("failed")
    assert failed.keys() == unlucky()
    assert all(ANSWERS[answer] in error for error in failed.values())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            '{"score": 1, "width": x}',
            r"missing: \['height', 'order'\]|height is nan, order is nan: expected .* reported",
        ),
        ('{"score": 1, "width": x, "height": y, "order": 1, "more": 2}', r"missing: none, not declared: \['more'\]"),
        ("3", "TypeError: 'int' object is not iterable"),
    ],
)
def test_wrong_metrics_are_a_failure_of_their_own_evaluation_alone(workbench, answer, message):
    answering(workbench, answer)
    workbench.search("run", search={"chunk": 8})
    failed = told("failed")
    assert failed.keys() == unlucky()
    assert all(re.search(message, error) for error in failed.values())


def test_when_the_first_thirty_all_fail_the_search_stops_and_shows_why(workbench):
    with pytest.raises(
        QdError, match=r"(?s)the first 3\d evaluations all failed.*3\d times.*RuntimeError: no luck"
    ) as e:
        qd.run(workbench.write(evaluator={"failing": 1.0}), out="run")
    assert e.value.exit_status == 1
    assert "qd resume run" in str(e.value)
    assert 30 <= len(told("failed")) == qd.open_run("run").count < 34


def test_after_mending_the_evaluator_such_a_search_goes_on(workbench, logged):
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(text.replace("if luck < self.failing", "if True"))
    with pytest.raises(QdError, match="all failed"):
        qd.run(workbench.write(), out="run")
    workbench.plugin.write_text(text)
    workbench.forget()
    run = qd.resume("run")
    summary = run.summary()
    assert sum(summary["evaluations"].values()) == 200
    assert summary["evaluations"]["failed"] < 34
    assert any("has changed since the run began" in line for line in logged.messages)


def test_a_failing_stretch_later_on_does_not_stop_the_search(workbench):
    text = workbench.plugin.read_text()
    run = qd.run(workbench.write(budget={"evaluations": 20}), out="run")
    assert run.summary()["evaluations"]["ok"] > 0
    workbench.plugin.write_text(text.replace("if luck < self.failing", "if True"))
    workbench.forget()
    run = qd.resume("run", budget={"evaluations": 100})
    assert run.summary()["evaluations"]["failed"] == 80


def test_minimised_objectives_and_other_axes_keep_their_own_units(workbench):
    search, _ = workbench.search("run", archive={"objective": "order"})
    run = qd.open_run("run")
    ok = [row for row in run.evaluations().to_dict("records") if row["status"] == "ok"]
    assert run.archive.best is not None
    assert run.archive.best.objective == min(row["order"] for row in ok)
    assert run.archive.elites == search.archive.elites
    expected: dict[tuple[int, int], float] = {}
    for row in ok:
        cell = min(int(row["width"] // 3), 9), min(int(row["height"] // 3), 9)
        expected[cell] = min(row["order"], expected.get(cell, math.inf))
    assert {run.archive.position(cell): elite.objective for cell, elite in run.archive.elites.items()} == expected
    assert run.archive.qd_score == pytest.approx(sum(60 - value for value in expected.values()))
