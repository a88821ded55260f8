"""Whether a run goes on, and how it ended."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess

import pytest

import qd
from qd.analysis import state as state_module
from qd.analysis.state import state_of
from qd.errors import QdError
from qd.store.folder import RunFolder

INVALID = {"space": {"side": 1}}
"""Every place of this square is refused by the evaluator."""


def word(folder) -> str:
    run = qd.open_run(folder)
    try:
        return state_of(run).word
    finally:
        run.close()


def died(folder, **process: object) -> None:
    """Let the log say what it says after `kill -9`."""
    with contextlib.closing(sqlite3.connect(folder / "log.sqlite")) as log, log:
        log.execute("UPDATE meta SET value = 'null' WHERE name = 'ending'")
        log.execute("UPDATE sessions SET process = json_patch(process, ?)", [json.dumps(process)])


def test_of_a_search_while_it_runs_and_when_it_is_stopped(workbench, qd_command):
    seen = []

    def progress(search):
        if search.evaluations == 40:
            seen.append(word("run"))
            signal.raise_signal(signal.SIGINT)

    qd.run(workbench.write(), out="run", progress=progress)
    seen.append(word("run"))
    qd.resume("run")
    assert [*seen, word("run")] == ["running", "stopped", "finished"]
    assert " state        finished" in qd_command("show", "run").out


def test_a_process_number_that_was_given_again_runs_nothing(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    with subprocess.Popen(["sleep", "60"]) as other:
        died(tmp_path / "run", pid=other.pid)
        assert word(tmp_path / "run") == "killed"
        with RunFolder(tmp_path / "run").lock():
            assert word(tmp_path / "run") == "running"
        other.kill()


def test_of_another_machine_the_lock_is_believed_where_it_can_be_seen(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "run")
    died(tmp_path / "run", host="another-machine")
    assert word(tmp_path / "run") == "killed"
    monkeypatch.setattr(state_module, "on_network", lambda path: "nfs4")
    assert word(tmp_path / "run") == "unknown"


def test_a_failure_has_its_reason(workbench, qd_command):
    with pytest.raises(QdError, match="all failed"):
        qd.run(workbench.write(evaluator={"failing": 1.0}), out="run")
    found = state_of(qd.open_run("run"))
    assert found.word == "failed"
    assert "no luck today" in found.reason
    assert "failed (the first 3" in qd_command("show", "run").out
    data = json.loads(qd_command("show", "run", "--json").out)
    assert (data["state"], data["reason"]) == found


def test_what_raises_is_no_death(workbench):
    def progress(search):
        raise ZeroDivisionError("of its own")

    with pytest.raises(ZeroDivisionError):
        qd.run(workbench.write(), out="run", progress=progress)
    assert state_of(qd.open_run("run")) == ("failed", "of its own")
    assert qd.resume("run").count == 200


def test_nothing_but_invalid_is_no_success(workbench, qd_command):
    answer = qd_command("run", workbench.write(**INVALID, budget={"evaluations": 1}), "--out", "run")
    assert answer.status == 1
    assert "all evaluations were invalid; the most frequent reason (1 times):\n\n0 and 0 are equal" in answer.err
    assert "next:" not in answer.err
    assert state_of(qd.open_run("run")).word == "failed"
    again = qd_command("run", workbench.write(**INVALID, budget={"evaluations": 1}), "--seeds", "0:1", "--out", "seeds")
    assert again.status == 1
    assert "seed 0: all evaluations were invalid" in again.err


@pytest.mark.parametrize("keep", ["all", "accepted"])
def test_a_search_whose_first_thirty_are_all_invalid_stops(workbench, keep):
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(text.replace("if x == y", "if True"))
    with pytest.raises(QdError, match=r"(?s)the first 3\d evaluations all were invalid.*are equal"):
        qd.run(workbench.write(), out="run", log=keep)
