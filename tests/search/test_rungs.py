"""Rungs, weights that are gone on from and inherited, and budgets that they are paid from."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qd
from qd.errors import UsageError
from qd.search.loop import Ending

from .test_full import Postman

FIDELITIES = [1 / 9, 1 / 3, 1.0]
SETTINGS: dict[str, Any] = {
    "space": {"side": 12},
    "emitters": [{"kind": "map_elites", "initial": 30}, {"kind": "random", "weight": 0.3}],
    "search": {"chunk": 4, "window": 12, "order": "id", "rungs": {"fidelities": ["1/9", "1/3", 1]}},
    "budget": {"evaluations": None, "trainings": 40},
}
KILLS = int(os.environ.get("KILLS", "5"))
"""How often a search is killed; by hand: KILLS=20 pytest tests/search/test_rungs.py -k killed."""


def settings(bench, evaluator: dict[str, Any] | None = None, search: dict[str, Any] | None = None, **changes: Any):
    kind = {"kind": f"{bench.module}:Growing", **(evaluator or {})}
    return SETTINGS | {"evaluator": kind, "search": SETTINGS["search"] | (search or {})} | changes


def rows_of(run) -> list[dict[str, Any]]:
    return run.evaluations().to_dict("records")


@pytest.mark.parametrize("promote", ["cell", "drawn", "best", "front"])
@pytest.mark.parametrize("order", ["arrival", "id"])
def test_a_share_of_each_rung_goes_up_and_the_archive_holds_what_is_full(workbench, order, promote):
    rungs = {"fidelities": ["1/9", "1/3", 1], "promote": promote}
    changed = settings(workbench, {"failing": 0.1}, {"order": order, "rungs": rungs})
    search, ending = workbench.search("run", lambda parts: Postman(parts.evaluator, 1), **changed)
    assert ending is Ending.BUDGET
    run = qd.open_run("run")
    rows = rows_of(run)
    asked = Counter(row["fidelity"] for row in rows)
    ok = Counter(row["fidelity"] for row in rows if row["status"] == "ok")
    assert set(asked) == set(FIDELITIES)
    for low, high in pairwise(FIDELITIES):
        assert ok[low] // 3 - 4 <= asked[high] <= ok[low] // 3  # the last window was told when the budget was used
    heights: dict[int, list[float]] = {}
    for row in rows:
        heights.setdefault(row["id"], []).append(row["fidelity"])
    assert all(sorted(one) == FIDELITIES[: len(one)] for one in heights.values())
    full = {row["evaluation"] for row in rows if row["fidelity"] == 1}
    assert set(run.archive.elites.evaluations.tolist()) <= full
    # who goes on is trained for the difference, and pays for it
    assert all(row["trained"] == pytest.approx(row["fidelity"]) for row in rows if row["status"] == "ok")
    starts = dict(run.query("SELECT evaluation, spent FROM starts"))
    assert len(starts) >= 0.95 * (asked[1 / 3] + asked[1])
    cost = sum(row["fidelity"] - starts.get(row["evaluation"], 0) for row in rows)
    assert search.trainings_asked == pytest.approx(cost)
    assert 40 - 1 / 9 < cost <= 40 + 1e-6


def test_from_scratch_costs_the_whole_fidelity_and_keeps_no_weights_but_of_elites(workbench):
    rungs = {"fidelities": ["1/9", "1/3", 1], "continue": False}
    search, _ = workbench.search("run", **settings(workbench, search={"rungs": rungs}))
    run = qd.open_run("run")
    rows = rows_of(run)
    assert search.trainings_asked == pytest.approx(sum(row["fidelity"] for row in rows))
    assert not run.query("SELECT * FROM starts")
    assert run.folder.with_weights() == set(run.archive.elites.evaluations.tolist())


def test_weights_are_kept_as_long_as_they_may_be_gone_on_from(workbench):
    missing = []

    def watch(search, log):
        def look(results, asking):
            tell(results, asking)
            there, elites = search._folder.with_weights(), set(search.archive.elites.evaluations.tolist())
            missing.append(there ^ (elites | search.needed_weights))

        tell, search._tell = search._tell, look

    workbench.search("run", prepare=watch, **settings(workbench))
    assert len(missing) > 20
    assert not any(missing)
    rows, run = rows_of(qd.open_run("run")), qd.open_run("run")
    low = {row["evaluation"] for row in rows if row["fidelity"] < 1}
    gone_on_from = {source for (source,) in run.query("SELECT source FROM starts")}
    assert gone_on_from
    assert not gone_on_from & run.folder.with_weights()
    assert 0 < len(low & run.folder.with_weights())


def test_whose_weights_are_lost_starts_anew_for_the_whole_fidelity(workbench, logged):
    lost: list[int] = []

    def watch(search, log):
        def lose(evaluations):
            wanted = [id for id in evaluations if id in search._starts._under_way]
            for id in wanted[: 1 if len(lost) < 3 else 0]:
                lost.append(id)
                search._folder.delete_weights([search._starts._under_way[id].source])
            return read(iter(evaluations))

        read, search._starts.read = search._starts.read, lambda evaluations: lose(list(evaluations))

    workbench.search("run", prepare=watch, **settings(workbench))
    run = qd.open_run("run")
    told = {row["evaluation"]: row for row in rows_of(run)}
    assert len(lost) == 3
    assert all(told[id]["trained"] == told[id]["fidelity"] for id in lost)
    assert not {id for (id,) in run.query("SELECT evaluation FROM starts")} & set(lost)
    assert sum("starts from its seed, for the whole of its fidelity" in line for line in logged.messages) == 3


def test_emitters_hear_of_full_results_alone(workbench):
    heard: list[int] = []

    def watch(search, log):
        emitter = search._emitters[0].emitter

        def hear(told, archive, rng):
            heard.extend(told.candidates.tolist())

        emitter.hears, emitter.tell = True, hear

    workbench.search("run", prepare=watch, **settings(workbench))
    full = qd.open_run("run").query(
        "SELECT candidate FROM evaluations e JOIN candidates c ON c.id = e.candidate"
        " WHERE fidelity = 1 AND c.emitter = 'map_elites'"
    )
    assert sorted(heard) == sorted(id for (id,) in full)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_children_inherit_the_weights_of_their_parents(workbench, share):
    changed = settings(workbench, search={"rungs": None, "inherit": share}, budget={"evaluations": 150})
    _, _ = workbench.search("run", **changed)
    run = qd.open_run("run")
    rows = {row["evaluation"]: row for row in rows_of(run)}
    starts = run.query(
        "SELECT evaluation, source, spent, c.parents FROM starts JOIN evaluations e ON e.id = evaluation"
        " JOIN candidates c ON c.id = e.candidate"
    )
    with_parents = run.query(
        "SELECT COUNT(*) FROM candidates c JOIN evaluations e ON e.candidate = c.id WHERE parents != '[]'"
    )[0][0]
    assert 0.8 * share * with_parents < len(starts) <= with_parents
    for evaluation, source, spent, parents in starts:
        assert spent == 0
        assert rows[source]["id"] in run.parents(parents)
        if rows[evaluation]["status"] == "ok":
            assert rows[evaluation]["trained"] == rows[source]["trained"] + 1
    assert max(row["trained"] for row in rows.values() if row["status"] == "ok") > 2


class Stop(Exception):  # noqa: N818 - not an error, a power cut
    """What ends a search in the middle."""


@pytest.mark.parametrize(
    "search",
    [
        {},
        {"rungs": {"fidelities": ["1/4", 1], "promote": "drawn"}, "inherit": 0.5},
        {"rungs": {"fidelities": [0.5, 1], "promote": "front", "continue": False}, "noise": "reevaluate"},
    ],
)
def test_a_search_that_is_stopped_anywhere_goes_on_to_the_bit(workbench, log_tables, search):
    file = workbench.write(**settings(workbench, {"failing": 0.2}, search, budget={"evaluations": 150}))
    whole = qd.run(file, out="whole")
    moments, stops = random.Random(2), 0

    def cut(after):
        def progress(search):
            nonlocal after
            after -= 1
            if not after:
                raise Stop

        return progress

    act, argument = qd.run, {"out": "parts"}
    while True:
        try:
            act(file if act is qd.run else "parts", progress=cut(moments.randint(2, 8)), **argument)
            break
        except Stop:
            stops, act, argument = stops + 1, qd.resume, {}
    assert stops > 4
    parts = qd.open_run("parts")
    assert parts.archive.elites == whole.archive.elites
    assert log_tables(whole.folder.path, resumed=True) == log_tables(parts.folder.path, resumed=True)
    kept = [{path.name: path.read_bytes() for path in run.folder.weights.iterdir()} for run in (whole, parts)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("search", [{"rungs": {"fidelities": ["1/3", 1]}, "inherit": 0.5}])
def test_a_search_for_networks_that_is_killed_anywhere_reaches_the_same_archive(workbench, search):
    data = {"kind": "digits", "split": {"train": 200, "validation": 200, "test": 200}}
    file = workbench.write(
        space={"kind": "sparse_moe"},
        evaluator={"kind": "supervised", "data": data, "training": {"epochs": 3}, "failing": None} | {},
        archive={
            "objective": "val_accuracy",
            "measures": [{"metric": "parameters", "low": 500, "high": 60000, "bins": 6, "scale": "log"}],
        },
        emitters=[{"kind": "map_elites", "initial": 8}],
        search={"seed": 1, "order": "id", "chunk": 4, "window": 4} | search,
        budget={"evaluations": 8 * KILLS + 8},
    )
    file.write_text(file.read_text().replace("  failing: null\n", ""))
    whole = qd.run(file, out="whole")
    moments, kills = random.Random(), 0
    while True:
        Path("told").unlink(missing_ok=True)
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                told = lambda search: Path("told").touch()  # noqa: E731
                if Path("parts/log.sqlite").exists():
                    qd.resume("parts", progress=told)
                else:
                    qd.run(file, out="parts", progress=told)
                os._exit(0)
            os._exit(1)
        if kills < KILLS:
            # after one batch at least: whatever is under way at two deaths is evaluated apart
            while not Path("told").exists() and os.waitpid(child, os.WNOHANG) == (0, 0):
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.25))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status in (0, -signal.SIGKILL)
            if status == 0:
                break
        kills += 1
    assert kills >= KILLS // 2
    parts = qd.open_run("parts")
    assert parts.archive.elites == whole.archive.elites
    told = [
        run.query("SELECT e.*, val_accuracy FROM evaluations e JOIN results ON _evaluation = e.id ORDER BY e.id")
        for run in (whole, parts)
    ]
    assert [row[:-2] + row[-1:] for row in told[0]] == [row[:-2] + row[-1:] for row in told[1]]
    for evaluation in whole.archive.elites.evaluations.tolist():
        first, second = (run.folder.read_weights(evaluation) for run in (whole, parts))
        assert all(np.array_equal(array, second[name]) for name, array in first.items())


def test_patience_ends_a_search_that_gains_nothing_more(workbench):
    changed = settings(
        workbench,
        search={"rungs": None},
        budget={"evaluations": 5000, "patience": {"evaluations": 40, "gain": 0.05}},
    )
    search, ending = workbench.search("run", **changed)
    assert ending is Ending.PATIENCE
    run = qd.open_run("run")
    assert run.summary()["state"] == "finished"
    curve = run.history()
    end = curve["evaluations"].tolist()[-1]
    assert end == search.evaluations < 5000
    before = curve[curve["evaluations"] <= end - 40]["qd_score"].tolist()[-1]
    assert curve["qd_score"].tolist()[-1] < 1.15 * before  # the last of what was under way may still have gained
    assert qd.resume("run").count == end
    assert qd.resume("run", budget={"patience": {"evaluations": 200, "gain": 0.05}}).count > end


def test_a_budget_of_trainings_counts_evaluations_in_full(workbench, cheap):
    search, ending = workbench.search("run", **settings(workbench, search={"rungs": None}))
    assert (ending, search.evaluations) == (Ending.BUDGET, 40)
    assert qd.run(cheap(log="accepted", budget={"evaluations": None, "trainings": 70}), out="cheap").count == 70


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"evaluator": {"kind": "{}:Table"}}, r"search\.rungs: .*:Table evaluates every candidate in full.*supervised"),
        ({"evaluator": {"kind": "{}:Partly"}}, r"search\.rungs\.continue: .*:Partly cannot go on .*continue: false"),
        ({"log": "accepted"}, r"search\.rungs: needs every evaluation in the log; write log: all"),
        (
            {"archive": {"kind": "unstructured", "novelty": 0.1}},
            r"search\.rungs\.promote: `cell` needs .*those of unstructured are not; write promote: best, or front",
        ),
        (
            {"evaluator": {"kind": "{}:Table"}, "search": {"inherit": True}},
            r"search\.inherit: .*:Table cannot start from the weights of a parent; leave inherit out",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_the_door(workbench, change, message):
    workbench.plugin.write_text(workbench.plugin.read_text() + "\n\nclass Partly(Growing):\n    continues = False\n")
    if "evaluator" in change:
        change = change | {"evaluator": {"kind": change["evaluator"]["kind"].format(workbench.module)}}
    if "archive" in change:
        change = change | {"archive": workbench.config()["archive"] | change["archive"]}
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(**(settings(workbench) | change)), out="run")
    assert not Path("run").exists()


def test_who_asks_and_tells_is_told_the_fidelity(workbench):
    metrics = {name: {"low": 0, "high": 30} for name in ("score", "width", "height")}
    file = workbench.write(
        evaluator={"kind": "outside", "metrics": metrics},
        search={"order": "arrival", "rungs": {"fidelities": ["1/4", 1], "continue": False}},
        budget={"evaluations": None, "trainings": 12},
    )
    file.write_text(file.read_text().replace(f"  kind: {workbench.module}:Table\n", ""))
    genotype = {"x": 1, "y": 2, "colour": "red"}
    asked = []
    with qd.open_search(file, out="run") as search:
        with pytest.raises(UsageError, match="ask: the run's rungs say how much of the budget each candidate gets"):
            search.ask(2, fidelity=0.5)
        while candidates := search.ask(4):
            asked += candidates
            told = [{"score": one.genotype["x"], "width": one.genotype["x"], "height": 1} for one in candidates]
            search.tell(candidates, told)
            if len(asked) == 8:
                assert search.tell([genotype], [{"score": 30, "width": 1, "height": 20}])[
                    0
                ].elite  # from outside, in full
        with pytest.raises(UsageError, match="propose: the budget is used"):
            search.propose({"x": 3, "y": 2, "colour": "red"})
    full = [one for one in asked if one.fidelity == 1]
    assert {one.fidelity for one in asked} == {0.25, 1}
    low = {one.candidate for one in asked if one.fidelity == 0.25}
    assert len(low) // 4 - 1 <= len(full) <= len(low) // 4
    assert low >= {one.candidate for one in full}
    assert sum(one.fidelity for one in asked) == 11


@pytest.mark.parametrize("damage", ["source = evaluation + 1", "spent = 1.5", "source = 100000", "spent = -1"])
def test_starts_that_no_search_writes_are_damage(workbench, damage):
    run = qd.run(workbench.write(**settings(workbench, budget={"evaluations": 60})), out="run")
    assert run.query("SELECT * FROM starts")
    run.close()
    with contextlib.closing(sqlite3.connect("run/log.sqlite")) as log:
        log.execute(f"UPDATE starts SET {damage}")
        log.commit()
    with pytest.raises(UsageError, match="a row of 'starts' is not as a search writes it"):
        qd.resume("run")
