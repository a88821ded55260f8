"""The loop that logs what entered an archive."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qd
from qd.analysis.history import history
from qd.candidates import Status
from qd.errors import QdError, UsageError
from qd.runs import launch

CONTROLS = [
    {"kind": "map_elites", "initial": 100, "crossover": 0.5},
    {"kind": "evolutionary", "initial": 100, "population": 40},
    {"kind": "novelty_local_competition", "initial": 100, "population": 40},
    {"kind": "regularised_evolution", "population": 40, "sample": 5},
    {"kind": "nsga2", "objectives": ["score", "most"], "initial": 100, "population": 40},
    {"kind": "random"},
]
REFINE = {"refine": [{"evaluations": 400, "bins": 20}, {"evaluations": 1000, "bins": 100}]}


class Stop(Exception):  # noqa: N818 - a power cut
    pass


def in_parts(file, folder: str, seed: int = 1) -> int:
    """Run, cut the power and resume until the end; returns how often it was cut."""
    moments = random.Random(seed)
    times = 0

    def cut():
        left = moments.randint(1, 5)

        def progress(search):
            nonlocal left
            left -= 1
            if not left:
                raise Stop

        return progress

    def attempt(function, *words, **options) -> bool:
        try:
            function(*words, progress=cut(), **options)
        except Stop:
            return False
        return True

    done = attempt(qd.run, file, out=folder)
    while not done:
        times += 1
        done = attempt(qd.resume, folder)
    return times


@pytest.mark.parametrize("space", ["Vectors", "Trees"])
def test_it_finds_what_the_loop_that_logs_everything_finds(cheap, space):
    # where nothing fails and nothing is proposed twice, the two loops ask for the same
    emitters = [{"kind": "random"}]
    whole = qd.run(cheap("all", space, emitters=emitters, log="all"), out="all")
    part = qd.run(cheap("accepted", space, emitters=emitters), out="accepted")
    assert whole.summary()["duplicates"] == 0
    assert part.archive.elites == whole.archive.elites
    assert part.summary() | {"run": "", "seconds": 0} == whole.summary() | {"run": "", "seconds": 0}


def test_the_log_keeps_what_entered_the_archive_and_counts_the_rest(cheap):
    run = qd.run(cheap(failing=0.1), out="run")
    entered = run.query("SELECT COUNT(*) FROM insertions")[0][0]
    for table in ("results", "candidates", "evaluations"):
        assert run.query(f"SELECT COUNT(*) FROM {table}") == [(entered,)]
    assert entered < 600
    assert sum(run.counts.values()) == run.count == 2000
    assert run.counts[Status.FAILED] == pytest.approx(200, abs=50)
    assert run.query("SELECT COUNT(*) FROM pending") == [(0,)]
    assert run.query("SELECT COUNT(*) FROM tells") == [(40,)]
    parents = {id for (text,) in run.query("SELECT parents FROM candidates") for id in json.loads(text)}
    assert parents <= {id for (id,) in run.query("SELECT id FROM candidates")}  # MAP-Elites draws elites alone


def test_curves_are_exact(cheap):
    seen: dict[int, tuple] = {}

    def note(search):
        best = search.archive.best
        seen[search.evaluations] = (len(search.archive), search.archive.qd_score, best.objective)

    run = qd.run(cheap(failing=0.1), out="run", progress=note)
    frame = history(run)
    assert frame["evaluations"].tolist() == [200 * n for n in range(1, 11)]
    for row in frame.to_dict("records"):
        assert (row["elites"], row["qd_score"], row["best"]) == seen[row["evaluations"]]
    assert frame["ok"].iloc[-1] == run.counts[Status.OK]


@pytest.mark.parametrize("emitter", CONTROLS, ids=lambda one: one["kind"])
@pytest.mark.parametrize("space", ["Vectors", "Trees"])
def test_stopped_anywhere_and_resumed_it_equals_one_that_was_not(cheap, log_tables, emitter, space):
    file = cheap(space=space, failing=0.1, emitters=[emitter], archive=REFINE, budget={"evaluations": 1500})
    whole = qd.run(file, out="whole")
    assert in_parts(file, "parts") > 5
    parts = qd.open_run("parts")
    assert parts.archive.elites == whole.archive.elites
    assert parts.archive.outside == whole.archive.outside
    first, second = (log_tables(run.folder.path, resumed=True) for run in (whole, parts))
    for tables in (first, second):
        del tables["figures"]  # a session that ends writes one more
    assert first == second


@pytest.mark.parametrize("emitter", CONTROLS, ids=lambda one: one["kind"])
@pytest.mark.parametrize("log", ["all", "accepted"])
def test_every_control_finds_better_than_its_first_samples(cheap, emitter, log):
    run = qd.run(cheap(emitters=[emitter], log=log), out="run")
    data = run.summary()
    assert sum(data["evaluations"].values()) == 2000
    assert data["archive"]["objective_best"] > (150 if emitter["kind"] == "random" else 175)
    kinds = {kind for (kind,) in run.query("SELECT DISTINCT emitter FROM candidates")}
    assert kinds == {emitter["kind"]}


def test_emitters_share_a_run_and_each_hears_of_its_own_alone(cheap, log_tables):
    emitters: list[dict[str, Any]] = [{"kind": "evolutionary", "initial": 50, "population": 30}, {"kind": "random"}]
    file = cheap(emitters=emitters)
    run = qd.run(file, out="run")
    state = run.state()
    assert state is not None
    population = state["emitters"]["evolutionary"]["state"]
    assert len(population["candidates"]) == 30
    assert population["genotypes"].dtype == np.int16
    assert population["number_objectives"].min() > 150
    shares = dict(run.query("SELECT emitter, COUNT(*) FROM candidates GROUP BY emitter"))
    assert set(shares) == {"evolutionary", "random"}
    assert in_parts(file, "parts") > 5
    assert qd.open_run("parts").archive.elites == run.archive.elites


def test_under_order_id_the_log_is_the_same_to_the_bit(cheap, log_tables):
    file = cheap(search={"order": "id", "window": 200}, archive=REFINE)
    first, second = (log_tables(qd.run(file, out=name).folder.path) for name in ("one", "two"))
    assert first == second
    assert in_parts(file, "parts") > 5
    assert qd.open_run("parts").archive.elites == qd.open_run("one").archive.elites


def test_another_projection_is_refused_but_on_request(cheap):
    qd.run(cheap(), out="run").close()
    run = qd.open_run("run")
    with pytest.raises(UsageError, match=r"the log keeps what entered the archive.*`accepted_only`"):
        run.project(["x", "most"])
    with pytest.raises(UsageError, match="`accepted_only`"):
        run.project(objective="most")
    assert len(run.project(["x"])) == 10  # of its own measures nothing is missing
    assert len(qd.open_run("run", accepted_only=True).project(["x", "most"])) > 10


def test_when_all_of_the_first_fail_the_search_stops_and_shows_why(cheap):
    with pytest.raises(QdError, match=r"(?s)the first 50 evaluations all failed.*no luck"):
        qd.run(cheap(failing=1.0), out="run")


def test_a_raised_budget_is_gone_on_with(cheap):
    qd.run(cheap(budget={"evaluations": 1000}), out="run").close()
    raised = qd.resume("run", budget={"evaluations": 2000})
    assert raised.archive.elites == qd.run(cheap(), out="whole").archive.elites
    assert raised.count == 2000


def test_the_budget_is_exact_also_where_it_is_no_multiple_of_the_chunk(cheap):
    assert qd.run(cheap(budget={"evaluations": 777}), out="run").count == 777


def test_elites_are_listed_as_of_any_run(cheap):
    run = qd.run(cheap(), out="run")
    frame = run.elites(where="x > 50", limit=3)
    assert len(frame) == 3
    for record in run.records(frame):
        x, y, *rest = record["genotype"]
        assert record["metrics"] == {"score": rest[0] + rest[1], "x": x, "y": y, "most": max(record["genotype"])}
    assert run.module_graph(frame["id"].tolist()[0]) is None


def test_retina_end_to_end(tmp_path, qd_command):
    file = Path(__file__).parents[2] / "scripts" / "runs" / "retina_map_elites.yaml"
    changes = ["budget.evaluations=30000", "archive.refine=[{evaluations: 10000, bins: 32}]", "emitters.0.initial=2000"]
    answer = qd_command("run", file, *changes, "--out", tmp_path / "run")
    assert answer.status == 0, answer.err
    run = qd.open_run(tmp_path / "run")
    assert run.count == 30_000
    assert run.archive.cells == 32 * 32
    best = run.archive.best
    assert best is not None
    assert best.objective > 0.8
    graph = run.module_graph(best.candidate)
    assert graph is not None
    assert graph.number_of_edges() == sum(map(bool, best.genotype[:106]))
    for cell, elite in list(run.archive.elites.items())[:50]:
        metrics = run.metrics_of(elite.evaluation)
        expected = (int(metrics["connection_cost"] / 360 * 32), int(metrics["modularity"] / 0.7 * 32))
        assert run.archive.position(cell) == expected
    assert "refused" not in qd_command("map", run.folder.path, "--out", tmp_path / "map.png").err
    answer = qd_command("map", run.folder.path, "--out", tmp_path / "a.png", "--measures", "one_sided_neurons")
    assert answer.status == 2
    assert "--accepted-only" in answer.err
    answer = qd_command(
        "map", run.folder.path, "--out", tmp_path / "a.png", "--measures", "one_sided_neurons", "--accepted-only"
    )
    assert answer.status == 0, answer.err
    assert (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_one_never_killed(cheap):
    file = cheap(emitters=CONTROLS[1:2], budget={"evaluations": 24_000}, archive=REFINE)
    whole = qd.run(file, out="whole")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["qd.runs.launch", "qd.compiled", "networkx"])
    moments = random.Random(3)
    kills = 0

    def told() -> int:
        with contextlib.suppress(sqlite3.Error, UsageError):
            return qd.open_run("killed").last_tell
        return 0

    while kills < 4:
        begun = Path("killed/log.sqlite").exists()
        words = (launch.resume, ("killed",), {}) if begun else (launch.run, (str(file),), {"out": "killed"})
        process = processes.Process(target=words[0], args=words[1], kwargs=words[2])
        before = told()
        process.start()
        while told() <= before and process.is_alive():
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        kills += 1
    assert 0 < qd.open_run("killed").count < 24_000
    killed = qd.resume("killed")
    assert killed.count == 24_000
    assert killed.archive.elites == whole.archive.elites
    assert killed.counts == whole.counts
