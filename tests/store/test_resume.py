"""A search that was stopped goes on as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import shutil
import sqlite3

import pytest

import qd
from qd.errors import QdError, UsageError
from qd.store.folder import RunFolder

SETTINGS = {
    "space": {"side": 12},
    "emitters": [{"kind": "map_elites", "initial": 20}, {"kind": "random", "weight": 0.3}],
    "search": {"chunk": 4, "window": 12},
    "budget": {"evaluations": 180},
}
BRIEF = SETTINGS | {"budget": {"evaluations": 40}}
"""Where what comes afterwards is refused."""


class Stop(Exception):  # noqa: N818 - not an error, a power cut
    """What ends a search in the middle."""


def power_cut(after: int):
    """A progress callback that ends the search after some tells, as an exception would anywhere in the loop."""
    tells = 0

    def progress(search):
        nonlocal tells
        tells += 1
        if tells == after:
            raise Stop

    return progress


def interrupted_everywhere(bench, folder, moments: random.Random, **settings) -> int:
    """Run, stop and resume until the end; returns how often it was stopped."""
    times = 0
    file = bench.write(**settings)
    try:
        qd.run(file, out=folder, progress=power_cut(moments.randint(1, 4)))
    except Stop:
        times = 1
    while True:
        try:
            qd.resume(folder, progress=power_cut(moments.randint(1, 4)))
        except Stop:
            times += 1
        else:
            return times


@pytest.mark.parametrize(("failing", "seed"), [(0.0, 0), (0.3, 1)])
def test_a_run_stopped_anywhere_and_resumed_equals_one_that_was_not(workbench, log_tables, failing, seed):
    settings = SETTINGS | {"evaluator": {"kind": f"{workbench.module}:Trained", "failing": failing}}
    whole = qd.run(workbench.write(**settings), out="whole")
    times = interrupted_everywhere(workbench, "parts", random.Random(seed), **settings)
    assert times > 8
    parts = qd.open_run("parts")
    assert parts.archive.elites == whole.archive.elites
    assert log_tables(whole.folder.path, resumed=True) == log_tables(parts.folder.path, resumed=True)
    assert parts.query("SELECT MAX(id) FROM sessions") == [(times + 1,)]
    kept = {path.name for path in whole.folder.weights.iterdir()}
    assert {path.name for path in parts.folder.weights.iterdir()} == kept
    assert parts.summary()["duplicates"] == whole.summary()["duplicates"]


def test_an_exhausted_space_is_exhausted_also_after_a_resume(workbench, log_tables):
    settings = SETTINGS | {"space": {"side": 4}, "evaluator": {"failing": 0.3}}
    whole = qd.run(workbench.write(**settings), out="whole")
    assert whole.meta("ending") == "space exhausted"
    interrupted_everywhere(workbench, "parts", random.Random(1), **settings)
    assert log_tables(whole.folder.path, resumed=True) == log_tables(workbench.folder / "parts", resumed=True)
    assert qd.resume("parts", budget={"evaluations": 500}).count == whole.count


def test_under_order_arrival_nothing_is_lost_and_nothing_is_told_twice(workbench):
    settings = SETTINGS | {"search": {"chunk": 4, "window": 12, "order": "arrival"}, "evaluator": {"failing": 0.2}}
    interrupted_everywhere(workbench, "parts", random.Random(5), **settings)
    run = qd.open_run("parts")
    assert [id for (id,) in run.query("SELECT _evaluation FROM results ORDER BY 1")] == list(range(1, 181))


def test_a_raised_budget_goes_on_as_if_it_had_been_there_from_the_start(workbench, log_tables):
    # A multiple of the chunk: the last batch of the small budget is as large as it would have been
    qd.run(workbench.write(**(SETTINGS | {"budget": {"evaluations": 60}})), out="raised")
    assert qd.open_run("raised").count == 60
    raised = qd.resume("raised", overrides=["budget.evaluations=180"])
    whole = qd.run(workbench.write(**SETTINGS), out="whole")
    assert raised.count == whole.count == 180
    assert raised.config.budget.evaluations == 180
    assert "evaluations: 180" in raised.folder.run_file.read_text()
    changed = json.loads(raised.query("SELECT process FROM sessions ORDER BY id DESC")[0][0])["changed"]
    assert changed.keys() == {"budget"}
    assert changed["budget"]["evaluations"] == 180


def test_a_resume_with_the_budget_used_changes_nothing_that_was_told(workbench, log_tables):
    run = qd.run(workbench.write(**SETTINGS), out="run")
    before = log_tables(run.folder.path, resumed=True)
    qd.resume("run")
    assert log_tables(run.folder.path, resumed=True) == before


def test_seconds_are_summed_over_resumes(workbench):
    settings = SETTINGS | {"space": {"side": 1000}, "budget": {"seconds": 0.2, "evaluations": None}}
    qd.run(workbench.write(**settings), out="run")
    first = qd.open_run("run").summary()["seconds"]
    assert first >= 0.2
    count = qd.open_run("run").count
    assert qd.resume("run").count == count  # the time is used up
    run = qd.resume("run", budget={"seconds": first + 0.2})
    assert run.count > count
    assert run.summary()["seconds"] >= first + 0.2


def test_a_driver_killed_before_its_first_proposal_leaves_a_run_that_can_begin(workbench, log_tables):
    whole = qd.run(workbench.write(**SETTINGS), out="whole")
    shutil.copytree("whole", "early")
    with contextlib.closing(sqlite3.connect("early/log.sqlite")) as log:
        for table in ("candidates", "evaluations", "insertions", "graphs", "tells", "state", "results"):
            log.execute(f"DELETE FROM {table}")
        log.commit()
    qd.resume("early")
    assert log_tables(whole.folder.path, resumed=True) == log_tables(workbench.folder / "early", resumed=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("search.seed=4", "search"),
        ("archive.objective=width", "archive"),
        ("space.side=13", "space"),
        ("evaluator.failing=0.5", "evaluator"),
        ("emitters[0].initial=3", "emitters"),
    ],
)
def test_a_resume_may_change_budget_and_executor_alone(workbench, digests, change, key):
    folder = qd.run(workbench.write(**BRIEF), out="run").folder.path
    before = digests(folder)
    with pytest.raises(UsageError, match=f"may change budget and executor, and nothing else; {key} is fixed"):
        qd.resume("run", overrides=["budget.evaluations=500", change])
    assert digests(folder) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("budget.evalutions=4", r"budget\.evalutions: unknown key; did you mean 'evaluations'"),
        ("budget.evaluations=many", r"budget\.evaluations: .*got 'many'"),
        ("executor.kind=cloud", r"executor\.kind: unknown Executor 'cloud'; known: inline"),
        ("executor.slots=4", r"executor\.slots: unknown key"),
        ("nonsense", "expected key=value"),
    ],
)
def test_a_resume_with_bad_keys_changes_nothing(workbench, digests, change, message):
    folder = qd.run(workbench.write(**BRIEF), out="run").folder.path
    before = digests(folder)
    with pytest.raises(UsageError, match=message):
        qd.resume("run", overrides=[change])
    assert digests(folder) == before


def test_a_running_search_is_locked(workbench):
    folder = qd.run(workbench.write(**SETTINGS), out="run").folder
    with folder.lock(), pytest.raises(QdError, match="another process is running this search"):
        qd.resume("run")
    assert qd.resume("run").count == 180


def test_a_search_holds_its_lock_while_it_runs(workbench):
    refused = []

    def progress(search):
        with pytest.raises(QdError, match="another process is running this search"), RunFolder("run").lock():
            pass
        refused.append(True)

    qd.run(workbench.write(**SETTINGS), out="run", progress=progress)
    assert refused


def test_a_changed_plug_in_is_warned_about(workbench, logged):
    qd.run(workbench.write(**SETTINGS), out="run")
    qd.resume("run")
    assert f"importing {workbench.module}:Table from {workbench.folder}" in logged.messages
    assert not any(record.levelno >= logging.WARNING for record in logged.records)
    workbench.plugin.write_text(workbench.plugin.read_text() + "\n# a comment\n")
    qd.resume("run")
    warnings = [record.getMessage() for record in logged.records if record.levelno == logging.WARNING]
    assert any(f"the source of {workbench.module}:Table has changed since the run began" in line for line in warnings)


def test_a_plug_in_with_other_metrics_is_refused(workbench, digests):
    folder = qd.run(workbench.write(**BRIEF), out="run").folder.path
    before = digests(folder)
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(text.replace('"order": Metric', '"rank": Metric').replace('"order":', '"rank":'))
    workbench.forget()
    with pytest.raises(UsageError, match=r"metric 'order' is not reported any more\n  metric 'rank' is new\nPut back"):
        qd.resume("run")
    assert digests(folder) == before


NAMES = "from search_spaces import Task\nfrom search_spaces.task import Classes, Vector\n"
"""What changed plug-ins may need beside what they import."""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('Metric("points", 0, 2)', 'Metric("points", 0, 2, "minimise")', "direction was 'maximise', and is 'minimise'"),
        (
            'Metric("points", 0, 2)',
            'Metric("goals", 0, 3)',
            "unit was 'points'.*\n.*high was 2.0, and is 3",
        ),
        ('Choice("red", "blue")', 'Choice("red", "green")', "the space's genes: was .*'blue'.*, and is .*'green'"),
        ("(SingleEvaluator):", "(SingleEvaluator):\n    contents = lambda self: {'rows': 7}", "what the evaluator has"),
        (
            "(SingleEvaluator):",
            "(SingleEvaluator):\n    task = Task(Vector(3), Classes(2))",
            "the task .*: was None, and is",
        ),
    ],
)
@pytest.mark.parametrize("command", [qd.resume, qd.verify])
def test_other_parts_than_the_log_says_are_refused_before_anything_is_touched(
    workbench, digests, command, old, new, message
):
    folder = qd.run(workbench.write(**BRIEF, evaluator={"kind": f"{workbench.module}:Trained"}), out="run").folder.path
    before = digests(folder)
    text = workbench.plugin.read_text()
    assert old in text
    workbench.plugin.write_text(NAMES + text.replace(old, new))
    workbench.forget()
    with pytest.raises(UsageError, match=message):
        command("run")
    assert digests(folder) == before


def test_what_a_space_holds_may_grow_but_for_a_resume(workbench, digests):
    """As a library does, to which other searches add modules: what was found before can still be built."""

    def holds(contents: dict[str, int]) -> None:
        workbench.plugin.write_text(
            text.replace("(SearchSpace):", f"(SearchSpace):\n    contents = lambda _: {contents}")
        )
        workbench.forget()

    text = workbench.plugin.read_text()
    holds({"first": 1})
    folder = qd.run(workbench.write(), out="run").folder.path
    holds({"first": 1, "second": 2})
    before = digests(folder)
    with pytest.raises(UsageError, match="what the space is made of, such as a library: new: second"):
        qd.resume("run")
    assert digests(folder) == before
    assert qd.verify("run", top=1, seeds=1).records()
    holds({"first": 3, "second": 2})
    with pytest.raises(UsageError, match="what the space is made of, such as a library: changed: first; new: second"):
        qd.verify("run", top=1, seeds=1)


def test_an_edited_run_file_may_change_what_a_resume_may(workbench, digests, logged):
    folder = qd.run(workbench.write(**SETTINGS), out="run").folder
    text = folder.run_file.read_text()
    folder.run_file.write_text(text.replace("evaluations: 180", "evaluations: 200"))
    assert qd.resume("run").count == 200
    assert any(line.startswith("budget: ") and "'evaluations': 200" in line for line in logged.messages)
    assert qd.open_run("run").config.budget.evaluations == 200


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 3", "seed: 4", r"run.yaml: search was edited since the run began .*put it back, or delete the file"),
        ("budget:", "bugdet:", r"bugdet: unknown key.*(.|\n)*differs from what the log says; put it back, or delete"),
        ("space:", "space: [", r"run.yaml differs from what the log says; put it back, or delete the file"),
    ],
)
def test_a_run_file_that_was_edited_otherwise_is_refused(workbench, digests, old, new, message):
    folder = qd.run(workbench.write(**BRIEF), out="run").folder
    text = folder.run_file.read_text()
    assert old in text
    folder.run_file.write_text(text.replace(old, new))
    before = digests(folder.path)
    with pytest.raises(UsageError, match=message):
        qd.resume("run", budget={"evaluations": 200})
    assert digests(folder.path) == before
    folder.run_file.unlink()
    qd.resume("run")
    assert folder.run_file.read_text() == text


def test_a_plug_in_that_moved_is_found_with_plugins(workbench, digests):
    folder = qd.run(workbench.write(**SETTINGS), out="run").folder.path
    before = digests(folder)
    elsewhere = workbench.folder / "elsewhere"
    elsewhere.mkdir()
    workbench.plugin.rename(elsewhere / workbench.plugin.name)
    workbench.forget()
    with pytest.raises(UsageError, match=r"found nothing there; .*`plugins`"):
        qd.resume("run", budget={"evaluations": 200})
    assert digests(folder) == before
    assert qd.resume("run", plugins=elsewhere, budget={"evaluations": 200}).count == 200
