"""What a command loads, and what it needs of the machine: looking needs little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qd.cli import commands

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "ray", "sklearn", "scipy", "numba", "networkx", "matplotlib", "pandas", "ribs", "onnx"}
TELL_LOADED = """
import atexit, sys
atexit.register(lambda: print(*(name for name in sys.modules if "." not in name), file=sys.stderr))
from qd.cli import main
main()
"""


def loaded(*words: object, code: str = TELL_LOADED) -> set[str]:
    """The top-level modules that a command has loaded when it ends."""
    command = [sys.executable, "-c", code, *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.split())


def test_help_loads_nothing_that_computes() -> None:
    assert loaded("--help") & {*HEAVY, "numpy", "yaml"} == set()


def test_help_of_every_command_loads_nothing_that_computes() -> None:
    code = f"""
import sys
from qd.cli import main
for words in {list(commands())}:
    sys.argv = ["qd", *words.split(), "--help"]
    try:
        main()
    except SystemExit:
        pass
print(*sys.modules, file=sys.stderr)
"""
    assert loaded(code=code) & {*HEAVY, "numpy", "yaml"} == set()


@pytest.mark.parametrize("words", [["show"], ["show", "--json"], ["elites"], ["elites", "--csv"], ["elites", "--json"]])
def test_looking_loads_no_library_that_computes(words: list[str], finished: Path) -> None:
    assert loaded(words[0], finished, *words[1:]) & HEAVY == set()


def test_a_command_loads_no_other(finished: Path) -> None:
    code = TELL_LOADED.replace(' if "." not in name', "")
    assert {"qd.cli.show", "qd.cli.run", "qd.cli.serve"} & loaded("show", finished, code=code) == {"qd.cli.show"}


def test_a_table_is_searched_without_what_networks_need(workbench: Any) -> None:
    file = workbench.write(budget={"evaluations": 40})
    unneeded = HEAVY - {"networkx", "matplotlib"}  # its module graphs, and the map at the end
    assert loaded("run", file, "--out", workbench.folder / "out") & unneeded == set()


def test_public_names_load_what_they_need_alone() -> None:
    code = "import sys, qd; qd.open_run, qd.show, qd.elites; print(*sys.modules, file=sys.stderr)"
    assert loaded(code=code) & HEAVY == set()


# --- where nothing may be written ------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation in which, as in the home, nothing can be written, for whichever user: files are in the way."""
    for package in ("qd", "search_spaces", "evaluators"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
        for folder, _, _ in os.walk(tmp_path / package):
            Path(folder, "__pycache__").touch()
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, os.devnull)
    for variable in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_looking_drawing_and_searching_work_where_nothing_may_be_written(
    nowhere: Path, finished: Path, workbench: Any
) -> None:
    compiled = {"kind": "nsga2", "objectives": ["score", "order"], "initial": 10, "population": 10}
    search = workbench.write(emitters=[compiled], budget={"evaluations": 30})
    commands = f"""
show {finished}
elites {finished}
map {finished} --out map.png
run {search} --out out
"""
    code = f"""
import shlex, sys
from qd.cli import main
for line in {commands.split(chr(10))[1:-1]}:
    sys.argv = ["qd", *shlex.split(line)]
    try:
        main()
    except SystemExit as ending:
        assert not ending.code, line
import numba, qd
assert qd.__file__.startswith("{nowhere}")
print(numba.config.CACHE_DIR)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    place = Path(ended.stdout.split()[-1])
    assert place.name.startswith("qd-numba-") and not place.exists(), "numba had a place, which went with the process"
