"""Commands of installed packages, and those of this folder: one file each."""

import pkgutil
import sys
from pathlib import Path

import pytest

import qd.cli

COMMAND = '''
from pathlib import Path
from typing import Annotated

import typer

import qd


def widest(run: Annotated[Path, typer.Argument(metavar="RUN")], limit: int = 1) -> None:
    """Say which elites are widest."""
    for id in qd.open_run(run).elites().sort_values("width").index[-limit:]:
        print(id)
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package that brings the command `widest`, and one that cannot be imported."""
    (tmp_path / "wide_commands.py").write_text(COMMAND)
    metadata = tmp_path / "wide-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: wide\nVersion: 1.0\n")
    points = "widest = wide_commands:widest\nbroken = no_such_file:command\nshow = wide_commands:widest\n"
    (metadata / "entry_points.txt").write_text(f"[qd.commands]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wide_commands", raising=False)
    return tmp_path


@pytest.mark.usefixtures("installed")
def test_a_command_of_an_installed_package_works_like_ours(finished, qd_command):
    answer = qd_command("widest", finished, "--limit", 2)
    assert (answer.status, answer.err) == (0, "")
    assert len(answer.out.split()) == 2
    assert "Say which elites are widest." in qd_command("widest", "--help").out


@pytest.mark.usefixtures("installed")
def test_help_lists_it_after_ours(qd_command):
    out = qd_command("--help").out
    assert out.index(" run ") < out.index(" verify ") < out.index(" widest ")


@pytest.mark.usefixtures("installed")
def test_ours_come_first(finished, qd_command):
    assert "QD score" in qd_command("show", finished).out


@pytest.mark.usefixtures("installed")
def test_a_command_that_cannot_be_imported_says_so(qd_command):
    answer = qd_command("broken", "--an-option-of-its", "own")
    assert answer.status != 0
    assert "qd: broken: importing no_such_file:command failed: ModuleNotFoundError" in answer.err
    assert "Cannot be imported" in qd_command("--help").out


def test_a_near_miss_is_told_with_the_name(qd_command):
    answer = qd_command("elitse")
    assert answer.status == 2
    assert "No such command 'elitse'" in answer.err
    assert "'elites'" in answer.err


def test_every_public_function_named_as_its_file_is_a_command(qd_command):
    out = qd_command("--help").out
    files = [info.name for info in pkgutil.iter_modules(qd.cli.__path__)]
    assert {"run", "import_", "library"} <= {*files}
    for name in ("run", "import", "library", "doctor"):
        assert f" {name} " in out
    for helper in ("output", "progress", "summary"):
        assert helper in files
        assert f" {helper} " not in out
