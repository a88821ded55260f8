"""Every recipe of docs/extending.md runs: its files, taken from the page, in a folder outside the repository."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qd

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()
RECIPES = {
    title: text for title, text in re.findall(r"^## An? ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
FILE = re.compile(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WANTED = {"space", "module", "data set", "evaluator", "emitter", "archive", "metric", "plot", "command"}


def test_there_is_a_recipe_for_every_extension_point() -> None:
    assert set(RECIPES) == WANTED


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qd_command: Callable[..., Any]
) -> None:
    files, commands = dict(FILE.findall(RECIPES[recipe])), COMMANDS.findall(RECIPES[recipe])
    assert any(name.endswith(".py") for name in files)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if "pyproject.toml" in files:
        install(tomllib.loads(files["pyproject.toml"]), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    lines = [shlex.split(line) for block in commands for line in block.splitlines()]
    assert lines
    for program, *words in lines:
        if program == "qd":
            answer = qd_command(*words)
            assert answer.status == 0, f"qd {shlex.join(words)}: {answer.err}"
            for option, value in itertools.pairwise(words):
                assert option != "--out" or (tmp_path / value).exists()
        else:
            assert program == "pytest"  # below, all of them at once
    for name in files:
        sys.modules.pop(name.removesuffix(".py"), None)
    run = qd.open_run(tmp_path / "out")
    counts = run.summary()["evaluations"]
    assert counts["ok"] and not counts["failed"], counts
    assert len(run.archive) > 1


def test_the_suites_of_the_recipes_pass(tmp_path: Path) -> None:
    """As a person runs pytest in that folder; every test passes, or is skipped."""
    suites = []
    for text in RECIPES.values():
        for name, content in FILE.findall(text):
            assert not (tmp_path / name).exists() or name in ("run.yaml", "pyproject.toml"), f"two have a {name}"
            (tmp_path / name).write_text(content)
        suites += re.findall(r"^pytest (\S+)$", text, re.MULTILINE)
    assert len(suites) == len(WANTED) - 1, "all but the command have one"
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:dash", *suites]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    for suite in suites:
        assert re.search(rf"^{re.escape(suite)}::.* PASSED", done.stdout, re.MULTILINE), f"{suite} tests nothing"


def test_a_data_set_takes_under_forty_lines() -> None:
    [plug_in] = [text for name, text in FILE.findall(RECIPES["data set"]) if name == "springs.py"]
    assert len(plug_in.splitlines()) < 40


def test_the_command_says_what_its_recipe_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qd_command: Callable[..., Any], finished: Path
) -> None:
    files = dict(FILE.findall(RECIPES["command"]))
    (tmp_path / "smallest.py").write_text(files["smallest.py"])
    install(tomllib.loads(files["pyproject.toml"]), tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    lines = [line.split() for line in qd_command("smallest", finished, "--metric", "width").out.splitlines()]
    widths = qd.open_run(finished).elites().set_index("id")["width"]
    assert [float(value) for _, value in lines] == sorted(widths)[:3]
    assert [widths[int(id)] for id, _ in lines] == sorted(widths)[:3]
    assert "did you mean 'width'" in qd_command("smallest", finished, "--metric", "widht").err
    assert " smallest " in qd_command("--help").out
    sys.modules.pop("smallest", None)


def install(project: dict[str, Any], folder: Path) -> None:
    """What `pip install .` leaves behind that counts here: the entry points, where Python looks for packages."""
    name, version = project["project"]["name"], project["project"]["version"]
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = project["project"]["entry-points"]
    (metadata / "entry_points.txt").write_text(
        "".join(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items())
    )
