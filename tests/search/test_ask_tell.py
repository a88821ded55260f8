"""Ask and tell: whoever owns the loop gets the same log, map and resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import qd
from qd.errors import QdError, UsageError
from qd.search import full
from qd.search.ask_tell import Outcome

METRICS = {
    "score": {"low": 0, "high": 2, "unit": "points"},
    "width": {"low": 0, "high": 30},
    "height": {"low": 0, "high": 30, "unit": "m"},
}
ROOT = Path(__file__).resolve().parents[2]


def outside(workbench, **changes):
    """A run file whose evaluator evaluates nothing."""
    search = {"seed": 3, "order": "arrival", **changes.pop("search", {})}
    return workbench.write(evaluator={"kind": "outside", "metrics": METRICS}, search=search, **changes)


def measure(genotype):
    x, y = genotype["x"], genotype["y"]
    return {"score": (genotype["colour"] == "red") + x / 30, "width": x, "height": y}


@pytest.fixture
def run_file(workbench):
    """Written with an evaluator of its own, so the keys of the workbench's are gone."""
    return outside(workbench)


def test_a_loop_of_ones_own_fills_the_map(run_file):
    with qd.open_search(run_file, out="run") as search:
        while candidates := search.ask(8):
            told = search.tell(candidates, [measure(one.genotype) for one in candidates])
            assert [one.evaluation for one in told] == [one.evaluation for one in candidates]
        assert search.ending == "budget used"
        elites = {cell: elite[:3] for cell, elite in search.archive.elites.items()}
    run = qd.open_run("run")
    assert run.count == 200
    assert run.meta("ending") == "budget used"
    assert {cell: elite[:3] for cell, elite in run.archive.elites.items()} == elites
    frame = run.evaluations()
    assert frame["score"].tolist().count(0) < 10
    assert frame["worker"].str.startswith("outside, ").all()
    assert set(frame["operator"]) == {"sample", "mutation", "crossover"}
    assert run.metrics["score"].unit == "points"


def test_it_is_told_in_any_order_in_parts_and_by_id(run_file):
    with qd.open_search(run_file, out="run") as search:
        first, second, third, fourth = search.ask(4)
        search.tell([third.evaluation, first], [measure(third.genotype), measure(first.genotype)])
        assert [one.evaluation for one in search.under_way] == [2, 4]
        assert [one.evaluation for one in search.ask(2)] == [5, 6]
        search.tell([fourth, second], [measure(fourth.genotype), measure(second.genotype)])
        assert search.evaluations == 4
    assert qd.open_run("run").query("SELECT _evaluation, _tell FROM results ORDER BY _tell, 1") == [
        (1, 1), (3, 1), (2, 2), (4, 2),
    ]  # fmt: skip


def test_candidates_can_be_changed_by_who_asked(run_file):
    with qd.open_search(run_file, out="run") as search:
        (one,) = search.ask(1)
        right = json.loads(json.dumps(one.genotype))
        one.genotype["x"] = -1
        search.tell([one], [measure(right)])
        assert next(iter(search.archive.elites.values())).genotype == right


def test_each_status_can_be_told(run_file):
    outcomes = [
        Outcome(status="failed", error="out of memory"),
        Outcome(status="invalid", error="no such layer"),
        Outcome(status="timed_out", error="an hour", seconds=3600.0),
        Outcome(status="lost"),
        Outcome({"score": 1, "width": 3, "height": 4}, seconds=2.5),
    ]
    with qd.open_search(run_file, out="run") as search:
        told = search.tell(search.ask(5), outcomes)
        assert [one.elite for one in told] == [False, False, False, False, True]
    frame = qd.open_run("run").evaluations().sort_values("evaluation")
    assert frame["status"].tolist() == ["failed", "invalid", "timed_out", "lost", "ok"]
    assert frame["error"].tolist()[:3] == ["out of memory", "no such layer", "an hour"]
    assert frame["seconds"].tolist()[2:] == [3600.0, 0.0, 2.5]


def test_a_failed_architecture_may_be_asked_for_again(workbench):
    file = outside(workbench, space={"side": 2}, budget={"evaluations": 100})
    with qd.open_search(file, out="run") as search:
        first = search.ask(100)
        assert len(first) == 8  # the whole space
        assert search.ending == "space exhausted"
        search.tell(first[:1], [Outcome(status="failed")])
        again = search.ask(100)
        assert [one.genotype for one in again] == [first[0].genotype]


def test_duplicates_alone_do_not_exhaust_it(workbench, monkeypatch):
    monkeypatch.setattr(full, "DUPLICATES_IN_A_ROW", 50)  # every proposal is a transaction of its own
    file = outside(workbench, space={"side": 40}, budget={"evaluations": 10_000})
    with qd.open_search(file, out="run") as search:
        (known,) = search.ask(1)
        for _ in range(60):
            assert search.propose(known.genotype) is None
        assert len(search.ask(8)) == 8
        assert search.ending is None


def test_what_nobody_asked_for_enters_from_outside(run_file):
    genotype = {"x": 20, "y": 3, "colour": "red"}
    with qd.open_search(run_file, out="run") as search:
        search.ask(2)
        (told,) = search.tell([genotype], [measure(genotype)])
        assert told.elite
        assert (told.candidate, told.evaluation) == (3, 3)
        assert next(iter(search.archive.elites.values())).genotype == genotype
        genotype["x"] = 0
        assert next(iter(search.archive.elites.values())).genotype["x"] == 20
    run = qd.open_run("run")
    row = run.evaluations().to_dict("records")[0]
    assert (row["emitter"], row["operator"], row["status"]) == ("outside", "outside", "ok")
    assert [elite.candidate for elite in run.archive.elites.values()] == [3]


def test_a_proposal_is_told_like_any_other(run_file):
    genotype = {"x": 20, "y": 3, "colour": "red"}
    with qd.open_search(run_file, out="run") as search:
        asked = search.propose(genotype)
        assert asked is not None
        assert (asked.emitter, asked.genotype) == ("outside", genotype)
        assert search.propose(genotype) is None
        search.tell([asked], [measure(genotype)])
        # told again it is a duplicate, and counts as no evaluation
        (told,) = search.tell([genotype], [measure(genotype)])
        assert (told.evaluation, told.twin, told.elite) == (None, asked.candidate, False)
        assert search.evaluations == 1


def test_a_genotype_that_is_under_way_is_told_as_that(run_file):
    with qd.open_search(run_file, out="run") as search:
        (asked,) = search.ask(1)
        told = search.tell([asked.genotype, asked.genotype], [measure(asked.genotype)] * 2)
        assert told[0].evaluation == asked.evaluation
        assert told[1].evaluation is None
        assert not search.under_way


def test_proposals_from_outside_become_parents(run_file):
    with qd.open_search(run_file, out="run") as search:
        genotype = {"x": 29, "y": 3, "colour": "red"}
        search.tell([genotype], [measure(genotype)])
        for _ in range(20):
            candidates = search.ask(8)
            search.tell(candidates, [measure(one.genotype) for one in candidates])
    assert qd.open_run("run").query("SELECT COUNT(*) FROM candidates WHERE parents LIKE '[1]'")[0][0] > 0


BAD = [
    ([1], [], "expected a result for each of 1 candidates, got 0"),
    ([9], [{}], r"results\[0\]: metric 'height' is missing; expected height, score, width"),
    ([9], [measure({"x": 1, "y": 1, "colour": "red"})], r"candidates\[0\]: evaluation 9 was never asked for"),
    ([1, 1], [measure({"x": 1, "y": 1, "colour": "red"})] * 2, r"candidates\[1\]: evaluation 1 stands twice"),
    ([True], [measure({"x": 1, "y": 1, "colour": "red"})], "expected what ask returned, an evaluation's id or a genot"),
    ([1], [{"score": float("nan"), "width": 1, "height": 1}], "metric 'score': expected a finite number, got nan; of"),
    ([1], [{"score": "high", "width": 1, "height": 1}], "expected a finite number, got 'high'"),
    ([1], [{"scor": 1, "width": 1, "height": 1}], "unknown metric 'scor'; did you mean 'score'"),
    ([1], [Outcome(status="broken")], r"results\[0\]\.status: unknown status 'broken'"),
    ([1], [Outcome({"score": 1}, status="failed")], "a result that is failed has no metrics"),
    ([1], [Outcome(status="failed", seconds=-1)], r"results\[0\]\.seconds: expected a number of at least 0, got -1"),
    ([1], [3], r"expected \{metric: number\} or an Outcome, got 3"),
    (
        [1, {"x": 99, "y": 1, "colour": "red"}],
        [measure({"x": 1, "y": 1, "colour": "red"})] * 2,
        r"candidates\[1\]: no genotype of table_\d+:Space: x: expected",
    ),
]


@pytest.mark.parametrize(("candidates", "results", "message"), BAD)
def test_a_wrong_tell_is_refused_by_name_and_changes_nothing(run_file, log_tables, candidates, results, message):
    with qd.open_search(run_file, out="run") as search:
        (asked,) = search.ask(1)
        before = log_tables(Path("run"))
        with pytest.raises(UsageError, match=message):
            search.tell(candidates, results)
        assert log_tables(Path("run")) == before
        search.tell([asked], [measure(asked.genotype)])
        with pytest.raises(UsageError, match=r"evaluation 1 was told already; the log keeps the first result"):
            search.tell([asked], [measure(asked.genotype)])


def test_a_wrong_ask_is_refused(run_file):
    with qd.open_search(run_file, out="run") as search:
        with pytest.raises(UsageError, match="ask: expected a number of candidates of at least 1, got 0"):
            search.ask(0)
        with pytest.raises(UsageError, match=r"ask: expected a fidelity in \(0, 1\], got 2"):
            search.ask(1, fidelity=2)
        with pytest.raises(UsageError, match=r"propose: no genotype of .*: entry 'y' is missing"):
            search.propose({"x": 1})
    with pytest.raises(UsageError, match=r"this search is closed; open its folder again"):
        search.ask(1)


def test_the_budget_holds_for_what_comes_from_outside(workbench):
    file = outside(workbench, budget={"evaluations": 3})
    genotype = {"x": 1, "y": 2, "colour": "red"}
    with qd.open_search(file, out="run") as search:
        assert len(search.ask(5)) == 3
        with pytest.raises(UsageError, match=r"tell: the budget is used: 3 evaluations were asked for; to go on, open"):
            search.tell([genotype], [measure(genotype)])
    with qd.open_search("run", budget={"evaluations": 4}) as search:
        assert search.tell([genotype], [measure(genotype)])[0].elite


def test_low_fidelities_are_logged_and_enter_no_archive(run_file):
    with qd.open_search(run_file, out="run") as search:
        (low,) = search.ask(1, fidelity=0.25)
        assert low.fidelity == 0.25
        assert not search.tell([low], [measure(low.genotype)])[0].elite
        assert len(search.archive) == 0
        full = search.propose(low.genotype)  # an architecture is known at each fidelity alone
        assert full is not None
        assert full.fidelity == 1
        assert search.propose(low.genotype, fidelity=0.25) is None
        assert search.propose(low.genotype) is None
    with qd.open_search("run") as search:
        assert search.propose(low.genotype, fidelity=0.25) is None
        assert search.ask(1) == [full]
        assert search.tell([full], [measure(full.genotype)])[0].elite
    run = qd.open_run("run")
    assert run.query("SELECT fidelity FROM evaluations ORDER BY id") == [(0.25,), (1.0,)]
    assert [elite.candidate for elite in run.archive.elites.values()] == [full.candidate]


def test_it_goes_on_as_if_it_had_not_been_closed(workbench, log_tables):
    file = outside(workbench, budget={"evaluations": 60})
    with qd.open_search(file, out="whole") as search:
        while candidates := search.ask(4):
            search.tell(candidates, [measure(one.genotype) for one in candidates])
    with qd.open_search(file, out="parts") as search:
        search.ask(4)
    for _ in range(100):
        with qd.open_search("parts") as search:
            candidates = search.ask(4)
            if not candidates:
                break
            search.tell(candidates, [measure(one.genotype) for one in candidates])
            search.ask(4)  # and close
    assert log_tables(Path("parts"), resumed=True) == log_tables(Path("whole"), resumed=True)
    assert qd.open_run("parts").meta("ending") == "budget used"


CLIENT = """
import sys, time
import qd

def measure(genotype):
    x, y = genotype["x"], genotype["y"]
    return {"score": (genotype["colour"] == "red") + x / 30, "width": x, "height": y}

with qd.open_search(sys.argv[1], **({"out": sys.argv[2]} if len(sys.argv) > 2 else {})) as search:
    while candidates := search.ask(5):
        for one in candidates[:3]:
            search.tell([one], [measure(one.genotype)])
            print(one.evaluation, flush=True)
        print("asked", *[one.evaluation for one in search.under_way], flush=True)
        time.sleep(0.2)
"""


@pytest.mark.slow
def test_a_killed_client_loses_nothing_that_it_told(workbench):
    file = outside(workbench, budget={"evaluations": 60})
    (workbench.folder / "client.py").write_text(CLIENT)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "client.py", str(file), "run"]
    told: list[int] = []
    for _ in range(2):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            for line in client.stdout:
                if not line.startswith("asked"):
                    told.append(int(line))
                if len(told) % 10 == 7:
                    client.send_signal(signal.SIGKILL)
                    break
            told += [int(line) for line in client.stdout if not line.startswith("asked")]  # printed before it died
        run = qd.open_run("run")
        logged = [id for (id,) in run.query("SELECT _evaluation FROM results ORDER BY 1")]
        assert set(told) <= set(logged)
        assert len(logged) <= len(told) + 1  # the one whose number was not printed any more
        told = logged
        run.close()
        command = [sys.executable, "client.py", "run"]
    run = qd.open_run("run")
    open_before = {
        id for (id,) in run.query("SELECT id FROM evaluations WHERE id NOT IN (SELECT _evaluation FROM results)")
    }
    assert open_before
    run.close()
    with qd.open_search("run") as search:
        again = search.ask(len(open_before))
        assert {one.evaluation for one in again} == open_before
        search.tell(again, [measure(one.genotype) for one in again])
        while candidates := search.ask(8):
            search.tell(candidates, [measure(one.genotype) for one in candidates])
    run = qd.open_run("run")
    assert run.count == 60
    assert run.meta("ending") == "budget used"


def test_two_cannot_hold_one_run(run_file):
    with qd.open_search(run_file, out="run"), pytest.raises(QdError, match="another process is running this search"):
        qd.open_search("run")
    with pytest.raises(UsageError, match="out: run is a run that has its folder"):
        qd.open_search("run", out="other")


def test_a_run_file_that_fits_no_asking_is_refused(workbench):
    with pytest.raises(UsageError, match=r"search\.order: whoever asks and tells decides the order"):
        qd.open_search(outside(workbench, search={"order": "id"}), out="run")
    with pytest.raises(UsageError, match=r"log: asking and telling needs every candidate in the log"):
        qd.open_search(outside(workbench, log="accepted"), out="run")
    assert not Path("run").exists()


def test_outside_is_not_run(run_file):
    with pytest.raises(
        UsageError, match=r"evaluator\.kind: outside evaluates nothing itself; open this run with qd\.op"
    ):
        qd.run(run_file, out="run")
    assert not Path("run").exists()


def test_metrics_from_outside_are_checked(workbench):
    file = outside(workbench)
    with pytest.raises(UsageError, match=r"evaluator\.metrics\.score\.lowest: unknown key"):
        qd.open_search(file, out="run", evaluator={"metrics": {"score": {"lowest": 0}}})
    with pytest.raises(UsageError, match=r"evaluator: Metric: expected low < high, got 3\.0 and 2"):
        qd.open_search(file, out="run", overrides=["evaluator.metrics.score.low=3"])


def test_any_evaluator_may_be_asked_for_by_hand(workbench):
    """Not only `outside`: the run's own evaluator declares the metrics, and who owns the loop tells them."""
    with qd.open_search(workbench.write(search={"order": "arrival"}), out="run") as search:
        candidates = search.ask(3)
        search.tell(candidates, [{**measure(one.genotype), "order": 1} for one in candidates])
        assert set(search.metrics) == {"score", "width", "height", "order"}
