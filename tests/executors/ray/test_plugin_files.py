"""A plug-in's folder travels as it is, without what is no part of it."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from qd.errors import UsageError
from qd.executors.ray import plugin_files
from qd.executors.ray.plugin_files import PluginFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for name in ("mine.py", "tables/a.csv", ".git/config", "__pycache__/mine.pyc", "results/one/log.sqlite"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "results/one/run.yaml").write_text("")
    return folder


def test_hidden_files_caches_and_runs_stay_behind(folder):
    files = PluginFiles.read(folder)
    assert dict(files.files) == {"mine.py": b"mine.py", "tables/a.csv": b"tables/a.csv"}


def test_what_is_no_file_and_environments_stay_behind(folder):
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.py")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(folder / "s"))
    (folder / "python" / "lib").mkdir(parents=True)
    (folder / "python" / "pyvenv.cfg").touch()
    (folder / "python" / "lib" / "other.py").touch()
    (folder / "linked.py").symlink_to("mine.py")
    files = PluginFiles.read(folder)
    assert sorted(files.files) == ["linked.py", "mine.py", "tables/a.csv"]


def test_on_the_same_machine_the_folder_itself_is_used(folder, tmp_path):
    for files in (PluginFiles.read(folder), PluginFiles.in_place(folder)):
        assert files.install(tmp_path / "room") == folder
    assert not (tmp_path / "room").exists()


@pytest.mark.parametrize("change", ["gone", "edited"])
def test_elsewhere_workers_share_a_copy(folder, tmp_path, change):
    files = PluginFiles.read(folder)
    if change == "gone":
        folder.rename(tmp_path / "moved")
    else:
        (folder / "mine.py").write_text("edited since")
    copies = [files.install(tmp_path / "room") for _ in range(2)]
    assert copies[0] == copies[1]
    assert (copies[0] / "mine.py").read_text() == "mine.py"
    assert (copies[0] / "tables/a.csv").read_text() == "tables/a.csv"
    assert [path.name for path in (tmp_path / "room").iterdir()] == [files.digest[:16]]


@pytest.mark.parametrize(("limit", "value"), [("MOST_BYTES", 10), ("MOST_FILES", 1)])
def test_a_folder_that_is_too_large_is_refused_with_the_remedy(folder, monkeypatch, limit, value):
    monkeypatch.setattr(plugin_files, limit, value)
    with pytest.raises(UsageError, match=r"sent to every worker.*tables \(0\.0 MB\).*`plugins`"):
        PluginFiles.read(folder)
