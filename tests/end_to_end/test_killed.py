"""Searches that are killed or interrupted from outside, and go on."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

import qd
from qd.runs import launch

SETTINGS = {
    "space": {"side": 25},
    "search": {"chunk": 4, "window": 16},
    "emitters": [{"kind": "map_elites", "initial": 20}, {"kind": "random", "weight": 0.2}],
}


def told(folder: Path) -> int:
    """Tells in the log so far; 0 where there is none yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{folder}/log.sqlite?mode=ro", uri=True)) as log:
            return log.execute("SELECT COUNT(*) FROM tells").fetchone()[0]
    except sqlite3.Error:
        return 0


def wait_for_tells(folder: Path, more_than: int, alive) -> None:
    while told(folder) <= more_than and alive():
        time.sleep(0.005)


@pytest.mark.slow
def test_a_run_killed_at_8_random_moments_ends_as_one_never_killed(workbench, log_tables):
    evaluator = {"kind": f"{workbench.module}:Trained", "failing": 0.1, "milliseconds": 3}
    file = workbench.write(**SETTINGS, evaluator=evaluator, budget={"evaluations": 500})
    whole = qd.run(file, out="whole")

    # A process of its own for every session, started from one that has done the slow imports already.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["qd.runs.launch", "qd.compiled", "networkx"])
    moments = random.Random(7)
    folder = workbench.folder / "killed"
    kills = 0
    while kills < 8:
        before = told(folder)
        words = (launch.resume, (str(folder),), {}) if before else (launch.run, (str(file),), {"out": str(folder)})
        process = processes.Process(target=words[0], args=words[1], kwargs=words[2])
        process.start()
        wait_for_tells(folder, before, process.is_alive)
        time.sleep(moments.uniform(0, 0.15))
        assert process.is_alive(), "the run ended before it was killed 8 times"
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert told(folder) > before
        kills += 1

    killed = qd.resume(folder)
    assert killed.archive.elites == whole.archive.elites
    assert killed.archive.outside == whole.archive.outside
    assert [id for (id,) in killed.query("SELECT _evaluation FROM results ORDER BY 1")] == list(range(1, 501))
    assert log_tables(folder, resumed=True) == log_tables(whole.folder.path, resumed=True)
    kept = {path.name for path in whole.folder.weights.iterdir()}
    assert {path.name for path in killed.folder.weights.iterdir()} == kept
    assert killed.query("SELECT COUNT(*) FROM sessions") == [(9,)]
    assert [path.name for path in folder.glob("log.sqlite*")] == ["log.sqlite"]


@pytest.mark.slow
def test_the_command_is_killed_and_resumed(workbench, qd_process, qd_command, log_tables):
    file = workbench.write(**SETTINGS, evaluator={"milliseconds": 2}, budget={"evaluations": 400})
    folder = workbench.folder / "killed"
    process = qd_process("run", file, "--out", folder, cwd=workbench.folder)
    wait_for_tells(folder, 20, lambda: process.poll() is None)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    answer = qd_command("resume", folder)
    assert answer.status == 0, answer.err
    assert answer.out == ""
    whole = qd.run(file, out="whole")
    assert log_tables(folder, resumed=True) == log_tables(whole.folder.path, resumed=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_what_it_found_and_can_be_resumed(workbench, qd_process, log_tables, number):
    file = workbench.write(**SETTINGS, evaluator={"milliseconds": 3}, budget={"evaluations": 400})
    folder = workbench.folder / "interrupted"
    process = qd_process("run", file, "--out", folder, cwd=workbench.folder)
    wait_for_tells(folder, 10, lambda: process.poll() is None)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "best score" in err
    assert f"interrupted; go on with: qd resume {folder}" in err
    assert (folder / "pictures" / "map.png").exists()
    assert [path.name for path in folder.glob("log.sqlite*")] == ["log.sqlite"]
    run = qd.open_run(folder)
    assert 40 <= run.count < 400
    assert run.meta("ending") == "interrupted"
    qd.resume(folder)
    whole = qd.run(file, out="whole")
    assert log_tables(folder, resumed=True) == log_tables(whole.folder.path, resumed=True)


def test_ctrl_c_within_this_process_ends_after_the_tell(workbench, log_tables):
    def progress(search):
        if search.evaluations == 40:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    run = qd.run(workbench.write(**SETTINGS), out="run", progress=progress)
    assert run.count == 40
    assert run.meta("ending") == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before
    qd.resume("run")
    whole = qd.run(workbench.write(**SETTINGS), out="whole")
    assert log_tables(run.folder.path, resumed=True) == log_tables(whole.folder.path, resumed=True)


def test_a_second_ctrl_c_ends_at_once(workbench):
    def progress(search):
        if search.evaluations == 40:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        qd.run(workbench.write(**SETTINGS), out="run", progress=progress)
    assert qd.open_run("run").count == 40
    assert qd.resume("run").count == 200


def test_a_closed_terminal_ends_as_ctrl_c_does(workbench):
    def progress(search):
        if search.evaluations == 40:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)  # the shell and the system each send one

    run = qd.run(workbench.write(**SETTINGS), out="run", progress=progress)
    assert run.count == 40
    assert run.meta("ending") == "interrupted"


def test_nohup_goes_on(workbench, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run = qd.run(workbench.write(**SETTINGS), out="run", progress=lambda search: signal.raise_signal(signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert run.count == 200
