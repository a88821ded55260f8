import json
import os
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qd
from qd.dashboard.live import LiveRun
from qd.dashboard.results import Results
from qd.errors import UsageError
from qd.store.folder import RunFolder


def change(folder: Path, statement: str, *values: Any) -> None:
    log = sqlite3.connect(folder / "log.sqlite")
    log.execute(statement, values)
    log.commit()
    log.close()


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A folder of runs in all states."""
    folder = tmp_path / "results"
    for name in ("done", "group/treatment/seed1", "newer", "damaged", "killed", "alive", "elsewhere"):
        shutil.copytree(finished, folder / name)
    (folder / "no run").mkdir()
    (folder / "no run" / "notes.txt").write_text("nothing")
    (folder / "empty").mkdir()
    (folder / "empty" / "log.sqlite").write_bytes(b"")
    change(folder / "newer", "PRAGMA user_version = 999")
    log = folder / "damaged" / "log.sqlite"
    log.write_bytes(log.read_bytes()[:4096] + b"\xff" * 20000)
    for name, process in {
        "killed": {"host": socket.gethostname(), "pid": 2**22 + 1},
        "alive": {"host": socket.gethostname(), "pid": os.getpid()},
        "elsewhere": {"host": "another-machine", "pid": 1},
    }.items():
        change(folder / name, "UPDATE meta SET value = 'null' WHERE name = 'ending'")
        change(folder / name, "UPDATE sessions SET process = ?", json.dumps(process))
    return folder


def test_every_run_has_a_state_and_what_is_wrong_is_said(results: Path) -> None:
    rows = {row.name: row for row in Results(results).rows()}
    states = {name: row.state for name, row in rows.items()}
    assert states == {
        "done": "finished",
        "group/treatment/seed1": "finished",
        "newer": "unreadable",
        "damaged": "unreadable",
        "empty": "unreadable",
        "killed": "killed",
        "alive": "killed",  # its process number is that of another process now
        "elsewhere": "killed",
    }
    assert "newer qd" in rows["newer"].problem
    assert "damaged" in rows["damaged"].problem
    with RunFolder(results / "alive").lock():
        assert {row.name: row.state for row in Results(results).rows()}["alive"] == "running"


def test_the_list_says_what_the_archive_says(results: Path, finished: Path) -> None:
    run = qd.open_run(finished)
    row = next(row for row in Results(results).rows() if row.name == "done")
    summary = run.summary()
    assert run.archive.best is not None
    assert (row.elites, row.best, row.objective) == (len(run.archive), run.archive.best.objective, "score")
    assert row.evaluations == sum(summary["evaluations"].values())
    assert row.failed == summary["evaluations"]["failed"]


def test_a_run_itself_may_be_served(finished: Path) -> None:
    results = Results(finished)
    assert results.names() == ["finished"]
    assert results.path("finished") == finished
    with pytest.raises(UsageError, match="There is no run 'other'"):
        results.path("other")


def test_a_run_that_is_looked_at_follows_its_log(finished: Path, tmp_path: Path) -> None:
    whole = qd.open_run(finished)
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    later = {"tells": "id > 20", "results": "_tell > 20"}
    later |= dict.fromkeys(
        ("insertions", "curves"), f"evaluation IN (SELECT _evaluation FROM results WHERE {later['results']})"
    )
    held = {table: whole.query(f"SELECT * FROM {table} WHERE {condition}") for table, condition in later.items()}
    for table in reversed(later):
        change(copy, f"DELETE FROM {table} WHERE {later[table]}")
    live = LiveRun(copy)
    other = (("width", "order"), "height")
    with live.reading():
        early = dict(live.archive(live.default_view()).elites)
        assert live.tell == 20
        live.archive(other)
    for table, rows in held.items():
        for row in rows:
            change(copy, f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
    with live.reading() as run:
        assert live.tell == whole.last_tell
        now = live.archive(live.default_view())
        assert [elite[:3] for elite in now.elites.values()] == [elite[:3] for elite in whole.archive.elites.values()]
        projected = whole.project(*other)
        assert [e[:3] for e in live.archive(other).elites.values()] == [e[:3] for e in projected.elites.values()]
        past = live.archive(live.default_view(), 20)
        assert [elite[:3] for elite in past.elites.values()] == [elite[:3] for elite in early.values()]
        frame = live.metrics(now)
        assert frame["evaluation"].tolist() == now.elites.evaluations.tolist()
        best = int(np.argmax(frame["score"]))
        assert frame.loc[best, "height"] == run.metrics_of(int(now.elites.evaluations[best]))["height"]


def test_a_log_is_only_open_while_it_is_read(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    live = LiveRun(copy)
    assert not _open_files(copy)
    with live.reading() as run:
        run.query("SELECT COUNT(*) FROM candidates")
        assert _open_files(copy)
    assert not _open_files(copy)


def _open_files(folder: Path) -> list[str]:
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return [str(link.resolve()) for link in links if str(link.resolve()).startswith(str(folder.resolve()))]


@pytest.mark.parametrize("file", ["log.sqlite"])
def test_looking_changes_nothing(finished: Path, file: str) -> None:
    before = (finished / file).read_bytes()
    results = Results(finished.parent)
    results.rows()
    with results.open("finished").reading():
        pass
    assert (finished / file).read_bytes() == before
    assert not (finished / f"{file}-wal").exists()
