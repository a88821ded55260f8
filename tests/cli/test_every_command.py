"""What holds for every command; the commands are read from the application."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qd.cli import commands

COMMANDS = commands()
ROOT = Path(__file__).resolve().parents[2]

WORDS: dict[str, list[str]] = {
    "data": ["FOLDER"],
    "init": ["--data", "FOLDER"],
    "plot": ["heatmap", "FOLDER", "--out", "x.png"],
    "map": ["FOLDER", "--out", "x.png"],
    "export": ["FOLDER", "--best", "--to", "x"],
    "import": ["x", "--into", "FOLDER"],
    "verify": ["FOLDER", "--top", "1"],
    "report": ["FOLDER", "--out", "x.html"],
    "run": ["FOLDER"],
    "stream": ["FOLDER", "--out", "x"],
    "train": ["FOLDER", "--to", "x"],
    "library build": ["FOLDER", "--to", "x"],
    "library show": ["FOLDER", "x"],
}
"""What a command needs beside the folder that it looks into; `FOLDER` stands for that."""
NO_FOLDER = ("spaces", "modules", "evaluators", "doctor", "serve")
"""Commands that look into no one folder of a run: `serve` shows an empty one."""


def argument_words(name: str) -> list[str]:
    return WORDS.get(name, ["FOLDER"])


def test_the_commands_are_those_of_the_folder() -> None:
    files = {path.stem.rstrip("_") for path in (ROOT / "qd/cli").glob("*.py")}
    assert len(COMMANDS) >= 21
    for name in COMMANDS:
        first = name.split()[0].replace("-", "_")
        assert first in files, f"qd {name}: expected it in qd/cli/{first}.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_it_does_and_shows_an_example(
    name: str, qd_command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    answer = qd_command(*name.split(), "--help")
    assert (answer.status, answer.err) == (0, "")
    assert "\x1b[" not in answer.out, "NO_COLOR is kept"
    assert f"Example: qd {name}" in " ".join(answer.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"qd {name}: {parameter.name} has no help"


def test_help_names_every_command(qd_command: Callable[..., Any]) -> None:
    answer = qd_command("--help")
    assert answer.status == 0
    for name in COMMANDS:
        assert re.search(rf"^\W*{name.split()[0]}\b", answer.out, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_refused(
    name: str, qd_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = qd_command(*name.split(), "--colour-of-the-sky", "blue")
    assert (answer.status, answer.out) == (2, "")
    assert "No such option: --colour-of-the-sky" in " ".join(answer.err.split())
    assert not list(tmp_path.iterdir()), "nothing was written"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NO_FOLDER])
def test_a_folder_that_is_not_there_is_refused_in_one_line(
    name: str, qd_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = qd_command(*name.split(), *(word.replace("FOLDER", "nowhere") for word in argument_words(name)))
    assert (answer.status, answer.out) == (2, "")
    assert "nowhere" in answer.err
    assert "Traceback" not in answer.err
    assert len(answer.err.strip().splitlines()) == 1, answer.err
    assert not list(tmp_path.iterdir()), "nothing was written"
