"""Whole searches on a Ray cluster whose workers, nodes and driver die: every candidate is told exactly once."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qd
from qd.analysis.run import Run
from qd.errors import QdError

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SETTINGS = {
    "space": {"side": 25},
    "search": {"chunk": 4, "window": 24},
    "emitters": [{"kind": "map_elites", "initial": 20}, {"kind": "random", "weight": 0.2}],
}


def assert_told_once(run: Run, evaluations: int) -> None:
    """Every evaluation has one result, and none was given up."""
    assert [id for (id,) in run.query("SELECT _evaluation FROM results ORDER BY 1")] == list(range(1, evaluations + 1))
    assert run.query("SELECT COUNT(*) FROM evaluations") == [(evaluations,)]
    assert {status for (status,) in run.query("SELECT DISTINCT _status FROM results")} <= {0, 1}


def attempts(run: Run) -> int:
    return run.query("SELECT MAX(_attempt) FROM results")[0][0]


def workers_of(parent: int) -> list[int]:
    """Processes of Ray's workers that evaluate for this cluster."""
    table = subprocess.run(["ps", "-wweo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    raylets = {pid for pid, owner, words in rows if "raylet" in words and int(owner) == parent}
    return [int(pid) for pid, owner, words in rows if owner in raylets and words.startswith("ray::Worker")]


def test_workers_that_are_killed_at_random_are_replaced(workbench):
    file = workbench.write(
        **SETTINGS,
        evaluator={"kind": f"{workbench.module}:Trained", "milliseconds": 20},
        executor={"kind": "ray", "workers": 3, "max_attempts": 20},
        budget={"evaluations": 600},
    )
    moments, killed, over = random.Random(3), [], threading.Event()

    def kill_some() -> None:
        while not over.wait(moments.uniform(0.3, 1.2)):
            if found := workers_of(os.getpid()):
                killed.append(moments.choice(found))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill_some)
    killer.start()
    try:
        run = qd.run(file, out="run")
    finally:
        over.set()
        killer.join()
    assert len(killed) >= 3
    assert_told_once(run, 600)
    assert attempts(run) > 1


@pytest.fixture
def nodes() -> Iterator:
    """A cluster whose head takes no work."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


def test_nodes_leave_and_join_and_the_search_goes_on(workbench, nodes, logged, monkeypatch):
    first, second = nodes.add_node(num_cpus=1), nodes.add_node(num_cpus=1)
    file = workbench.write(
        **SETTINGS,
        evaluator={"milliseconds": 20},
        executor={"kind": "ray", "address": nodes.address},
        budget={"evaluations": 400},
    )

    def progress(search) -> None:
        if search.evaluations >= 100 and first in nodes.worker_nodes:
            nodes.remove_node(first, allow_graceful=False)
        if search.evaluations >= 200 and second in nodes.worker_nodes:
            nodes.remove_node(second, allow_graceful=False)

    class Help(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("there is no worker"):
                nodes.add_node(num_cpus=2)

    monkeypatch.setattr(logging.getLogger("qd"), "handlers", [Help()])
    run = qd.run(file, out="run", progress=progress)
    assert_told_once(run, 400)
    assert attempts(run) > 1
    assert logged.messages[2:] == [  # after the lines about the plug-in
        "there is no worker: waiting for a machine that has room for one",
        "there are workers again: the search goes on",
    ]


def test_the_driver_is_killed_and_resume_attaches_to_the_living_cluster(workbench, nodes, qd_process, log_tables):
    nodes.add_node(num_cpus=2)
    changes = {
        **SETTINGS,
        "evaluator": {"kind": f"{workbench.module}:Trained", "milliseconds": 10},
        "budget": {"evaluations": 320},
    }
    whole = qd.run(workbench.write("whole.yaml", **changes), out="whole")
    executor = {"kind": "ray", "address": nodes.address, "workers": 2}
    file, folder = workbench.write(**changes, executor=executor), workbench.folder / "killed"
    process = qd_process("run", file, "--out", folder, cwd=workbench.folder)
    wait_for(lambda: told(folder) > 20, process)
    process.kill()
    process.wait()
    before = told(folder)
    workbench.forget()
    run = qd.resume(folder)  # which has room for its workers only when those of the dead driver are gone
    assert before < run.query("SELECT MAX(id) FROM tells")[0][0]
    assert_told_once(run, 320)
    tables, expected = (without_executor(log_tables(path, resumed=True)) for path in (folder, whole.folder.path))
    assert tables == expected
    assert {path.name for path in run.folder.weights.iterdir()} == {
        path.name for path in whole.folder.weights.iterdir()
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_the_whole_process_group_ends_the_search_in_order(workbench, qd_process, number):
    file = workbench.write(**SETTINGS, evaluator={"milliseconds": 10}, budget={"evaluations": 2000})
    folder = workbench.folder / "interrupted"
    before = "import os; os.setpgid(0, 0)"
    process = qd_process("run", file, "--out", folder, "--workers", 2, cwd=workbench.folder, before=before)
    wait_for(lambda: told(folder) > 10, process)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert f"interrupted; go on with: qd resume {folder}" in err
    run = qd.open_run(folder)
    assert 40 <= run.count < 2000
    assert attempts(run) == 1
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(process.pid) not in [word for line in left.splitlines() if "raylet" in line for word in line.split()]


def told(folder: Path) -> int:
    """Tells in the log so far; 0 where there is none yet."""
    try:
        return qd.open_run(folder).query("SELECT COUNT(*) FROM tells")[0][0]
    except QdError:
        return 0


def wait_for(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def without_executor(tables):
    """The log's tables, apart from the run file, which names the executor."""
    return tables | {"meta": [row for row in tables["meta"] if row["name"] != "run_file"]}
