"""A log that is damaged, foreign or newer: a clear error, and the file stays as it is."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qd
from qd.errors import UsageError

COMMANDS = {
    "show": ["show", "RUN"],
    "show --json": ["show", "RUN", "--json"],
    "elites": ["elites", "RUN", "--json"],
    "map": ["map", "RUN", "--out", "map.png"],
    "export": ["export", "RUN", "--best", "--to", "exported"],
    "resume": ["resume", "RUN"],
}


def foreign(log: Path) -> None:
    log.unlink()
    with contextlib.closing(sqlite3.connect(log)) as connection:
        connection.execute("CREATE TABLE meta (name, value)")
        connection.commit()


def newer(log: Path) -> None:
    with contextlib.closing(sqlite3.connect(log)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()


def flip(log: Path, start: int, length: int) -> None:
    content = bytearray(log.read_bytes())
    for place in range(start, start + length):
        content[place] ^= 0xFF
    log.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda log: log.write_bytes(b""), "ends before its first row"),
    "half": (lambda log: log.write_bytes(log.read_bytes()[: log.stat().st_size // 2]), "the log is damaged"),
    "first page": (lambda log: log.write_bytes(log.read_bytes()[:4096]), "the log is damaged"),
    "a few bytes": (lambda log: log.write_bytes(log.read_bytes()[:50]), "damaged|no log of a qd run|first row"),
    "garbage": (lambda log: log.write_bytes(random.Random(0).randbytes(50_000)), "the log is damaged"),
    "text": (lambda log: log.write_text("no database at all\n" * 100), "the log is damaged"),
    "foreign": (foreign, "an SQLite file, but no log of a qd run"),
    "newer": (newer, r"written by a newer qd \(log version 99, this qd reads up to 3\); update qdnas"),
    "header": (lambda log: flip(log, 0, 16), "the log is damaged"),
    "schema": (lambda log: flip(log, 100, 200), "the log is damaged"),
    "middle": (lambda log: flip(log, 4096, log.stat().st_size - 4096), "the log is damaged"),
    "no file": (lambda log: log.unlink(), "is no run folder: expected log.sqlite in it"),
    "a folder": (lambda log: (log.unlink(), log.mkdir()), "is no run folder: expected log.sqlite in it"),
}


@pytest.fixture
def copy(finished, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_told_and_left_untouched(copy, qd_command, digests, damage, command):
    harm, message = DAMAGES[damage]
    harm(copy / "log.sqlite")
    before = digests(copy)
    answer = qd_command(*[copy if word == "RUN" else word for word in COMMANDS[command]])
    assert answer.status == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err
    with pytest.raises(UsageError, match=message):
        raise UsageError(answer.err)
    assert digests(copy) == before
    assert not Path("map.png").exists()
    assert not Path("exported").exists()


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_anywhere_never_end_in_a_traceback(copy, digests, seed):
    """Bits of a number may flip unseen (SQLite has no checksums); all else is told."""
    moments = random.Random(seed)
    log = copy / "log.sqlite"
    for _ in range(moments.choice((1, 4, 40))):
        flip(log, moments.randrange(log.stat().st_size - 8), moments.randint(1, 8))
    before = digests(copy)

    def look(run: qd.Run) -> None:
        run.summary()
        run.records(run.elites("score > 0.1"))
        run.evaluations()
        run.project(["order"], "width")
        for elite in run.archive.elites.values():
            run.module_graph(elite.candidate)

    with contextlib.suppress(UsageError):
        look(qd.open_run(copy))
    assert digests(copy) == before


def test_a_log_without_its_first_rows_is_told(copy, qd_command):
    with contextlib.closing(sqlite3.connect(copy / "log.sqlite")) as connection:
        connection.execute("DELETE FROM meta")
        connection.commit()
    answer = qd_command("show", copy)
    assert answer.status == 2
    assert "log.sqlite" in answer.err
    assert "Traceback" not in answer.err


def leave_wal(folder: Path) -> None:
    """As after a search that ended while somebody looked: committed rows stand beside the log."""
    with contextlib.closing(sqlite3.connect(folder / "log.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO meta VALUES ('later', '1')")
        connection.commit()
        shutil.copytree(folder, f"{folder}-copy")
    shutil.rmtree(folder)
    Path(f"{folder}-copy").rename(folder)
    assert (folder / "log.sqlite-wal").stat().st_size


def leave_journal(folder: Path) -> None:
    """As a driver that is killed while it changes the file itself: SQLite has to take back a half transaction."""
    with contextlib.closing(sqlite3.connect(folder / "log.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        for table in ("candidates", "results", "evaluations", "insertions"):
            connection.execute(f"DELETE FROM {table}")
        shutil.copytree(folder, f"{folder}-copy")
    shutil.rmtree(folder)
    Path(f"{folder}-copy").rename(folder)
    assert (folder / "log.sqlite-journal").stat().st_size


LOOKING = {
    "show": ["show", "RUN"],
    "elites": ["elites", "RUN"],
    "map": ["map", "RUN", "--out", "map.png"],
    "report": ["report", "RUN", "--out", "report.html"],
    "compare": ["compare", "RUN", "RUN"],
}


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("leave", [leave_wal, leave_journal])
def test_what_a_killed_driver_left_is_put_in_order_by_whoever_looks(copy, qd_command, finished, leave, command):
    leave(copy)
    answer = qd_command(*[copy if word == "RUN" else word for word in LOOKING[command]])
    assert answer.status == 0, answer.err
    assert [path.name for path in copy.glob("log.sqlite*")] == ["log.sqlite"]
    with contextlib.closing(qd.open_run(copy)) as run, contextlib.closing(qd.open_run(finished)) as whole:
        assert run.summary() == whole.summary() | {"run": "run"}


def test_a_finished_log_is_one_file(finished):
    assert [path.name for path in finished.glob("log.sqlite*")] == ["log.sqlite"]
    with contextlib.closing(sqlite3.connect(finished / "log.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_readers_see_every_tell_while_the_driver_writes(workbench):
    seen = []

    def progress(search):
        assert Path("run/log.sqlite-wal").exists()
        with contextlib.closing(qd.open_run("run")) as run:
            assert run.count == search.evaluations
            assert run.archive.elites == search.archive.elites
        seen.append(search.evaluations)

    qd.run(workbench.write(), out="run", progress=progress)
    assert seen == list(range(4, 201, 4))


def test_a_reader_that_stays_open_does_not_stop_the_driver(workbench):
    readers = []

    def progress(search):
        if not readers:
            readers.append(qd.open_run("run"))
            assert readers[0].count == 4

    qd.run(workbench.write(), out="run", progress=progress)
    assert readers[0].count == 200
    readers[0].close()
    assert qd.open_run("run").count == 200


LOOK = """
import sys
import qd
from qd.errors import QdError
for path in sys.argv[1:]:
    print(path)
    try:
        run = qd.open_run(path)
        print(run.count, "evaluations", len(run.elites()), "elites")
        with run.folder.lock():
            print("locked")
    except QdError as error:
        print(error)
"""


def as_nobody(cache: Path, *folders: Path) -> str:
    """What a user sees who may read the folders and not write to them."""
    user = [] if os.geteuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*user, sys.executable, "-B", "-c", LOOK, *map(str, folders)]
    places = {"PYTHONPATH": str(Path(qd.__file__).parents[1]), "NUMBA_CACHE_DIR": str(cache)}
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | places
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users may enter; pytest closes its own to them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_read(finished, public):
    ended, open_, killed, torn, hot = (public / name for name in ("ended", "open", "killed", "torn", "hot"))
    shutil.copytree(finished, hot)
    leave_journal(hot)
    shutil.copytree(finished, ended)
    shutil.copytree(finished, open_)
    connection = sqlite3.connect(open_ / "log.sqlite")  # what a driver leaves when it is killed: committed rows in -wal
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO meta VALUES ('later', '1')")
    connection.commit()
    shutil.copytree(open_, killed)
    shutil.copytree(open_, torn)
    connection.close()
    (torn / "log.sqlite-shm").unlink()
    for path in [path for folder in (ended, killed, torn, hot) for path in (folder, *folder.rglob("*"))]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    seen = f"200 evaluations {len(qd.open_run(finished).elites())} elites"
    advice = "cannot be written to (Permission denied); copy it to a place of your own"
    folders = (ended, killed, torn, hot)
    said = as_nobody(public / "cache", *folders).splitlines()
    assert said == [line for folder in folders for line in (str(folder), seen, f"{folder}: {advice}")]
