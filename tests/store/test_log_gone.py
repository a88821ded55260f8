"""A log that is locked, moved, removed or replaced while its search goes on: it ends and says so."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3

import pytest

import qd
from qd.errors import QdError
from qd.store import log as log_module


def move(log):
    log.rename(log.with_name("elsewhere"))


def replace(log):
    shutil.copyfile(log, log.with_name("copy"))
    log.with_name("copy").replace(log)


def remove_all(log):
    shutil.rmtree(log.parent)


@pytest.mark.parametrize("happens", [move, replace, remove_all])
def test_a_search_whose_log_is_gone_ends(workbench, happens):
    def progress(search):
        if search.evaluations == 40:
            happens(workbench.folder / "run" / "log.sqlite")

    with pytest.raises(QdError, match=r"run/log.sqlite: the log was moved, removed or replaced while"):
        qd.run(workbench.write(), out="run", progress=progress)


def test_a_folder_that_was_moved_goes_on(workbench, log_tables):
    def progress(search):
        if search.evaluations == 40:
            (workbench.folder / "run").rename(workbench.folder / "moved")

    with pytest.raises(QdError, match=r"go on with qd resume and its new folder"):
        qd.run(workbench.write(), out="run", progress=progress)
    qd.resume("moved")
    whole = qd.run(workbench.write(), out="whole")
    assert log_tables(workbench.folder / "moved", resumed=True) == log_tables(whole.folder.path, resumed=True)


def test_a_search_whose_log_is_locked_ends(workbench, monkeypatch):
    monkeypatch.setattr(log_module, "BUSY_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(":memory:")) as other:

        def progress(search):
            if search.evaluations == 40:
                other.execute("ATTACH ? AS log", [str(workbench.folder / "run" / "log.sqlite")])
                other.execute("BEGIN EXCLUSIVE")
                other.execute("DELETE FROM log.meta")

        with pytest.raises(
            QdError, match=r"another program keeps the log for itself, or a plug-in does, for 0.1 s.*qd resume run$"
        ):
            qd.run(workbench.write(), out="run", progress=progress)
    assert qd.resume("run").count == 200
