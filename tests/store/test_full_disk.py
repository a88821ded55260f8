"""A disk that fills up: the search stops, and the log is whole and goes on where there is room again."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

import qd
from qd.errors import QdError
from qd.store.log import Log


def limited(pages: int):
    """A hand on the log: the file may have this many pages."""

    def prepare(search, log: Log) -> None:
        log._connection.execute(f"PRAGMA max_page_count = {pages}")

    return prepare


def is_whole(folder: Path) -> bool:
    with contextlib.closing(sqlite3.connect(folder / "log.sqlite")) as log:
        return log.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("pages", [16, 20, 30, 40])
def test_a_full_disk_stops_the_search_with_the_log_whole(workbench, log_tables, pages):
    settings = {"budget": {"evaluations": 400}}
    whole = workbench.search("whole", **settings)[0]
    with pytest.raises(
        QdError, match=r"the disk is full or fails.*All evaluations completed before are safe.*qd resume"
    ) as error:
        workbench.search("full", prepare=limited(pages), **settings)
    assert error.value.exit_status == 1
    full = workbench.folder / "full"
    assert is_whole(full)
    with contextlib.closing(qd.open_run("full")) as run:
        assert run.count < 400
        assert run.count % 4 == 0  # whole tells
    qd.resume("full")
    assert log_tables(full, resumed=True) == log_tables(Path("whole"), resumed=True)
    assert qd.open_run("full").archive.elites == whole.archive.elites


def test_no_room_for_weights_stops_the_search_with_the_log_whole(workbench, log_tables):
    settings = {"evaluator": {"kind": f"{workbench.module}:Trained"}}
    workbench.search("whole", **settings)

    def no_room(search, log):
        write = search._folder.write_weights

        def limited_write(evaluation, weights):
            if evaluation > 50:  # a folder in the way fails as a full disk does: with an OSError
                (search._folder.weights / f".{evaluation}.safetensors.tmp").mkdir()
            write(evaluation, weights)

        search._folder.write_weights = limited_write

    with pytest.raises(QdError, match=r"cannot write weights .*All evaluations completed before are safe.*qd resume"):
        workbench.search("full", prepare=no_room, **settings)
    assert qd.open_run("full").count in range(40, 56)
    for path in Path("full/weights").glob(".*.tmp"):
        path.rmdir()
    qd.resume("full")
    assert log_tables(Path("full"), resumed=True) == log_tables(Path("whole"), resumed=True)


LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, 180_000))
"""


@pytest.mark.slow
def test_a_limit_on_file_size_ends_the_process_in_order(workbench, qd_process, log_tables):
    file = workbench.write()
    process = qd_process("run", file, "--out", "full", cwd=workbench.folder, before=LIMIT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "the disk is full or fails" in err
    assert "make room, then: qd resume full" in err
    assert "Traceback" not in err
    assert out == ""
    full = workbench.folder / "full"
    shutil.copytree(full, "copy")
    assert is_whole(workbench.folder / "copy")
    assert 0 < qd.open_run(full).count < 200
    qd.resume(full)
    qd.run(file, out="whole")
    assert log_tables(full, resumed=True) == log_tables(workbench.folder / "whole", resumed=True)


def test_a_log_that_cannot_be_made_leaves_nothing_behind(workbench, qd_process):
    before = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))"
    process = qd_process("run", workbench.write(), "--out", "full", cwd=workbench.folder, before=before)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "disk is full or fails" in err
    assert "Traceback" not in err
    assert not Path("full").exists()
