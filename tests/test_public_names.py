"""What `import qd` gives: a function for every command, found by people and type checkers, and loaded when used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.cli import commands

ROOT = Path(__file__).resolve().parents[1]
OTHER_NAMES = {"import": "import_into", "ask-tell": "open_search"}
"""Where the command's is a word of Python's own, or a conversation."""
OTHER_OPTIONS = {
    "cells": "cell",
    "folder": "run",
    "folders": "runs",
    "format": "formats",
    "into": "run_file",
    "run_file": "file",
    "workers": "overrides",  # executor.workers
}
ONLY_COMMANDS = {
    "run --seeds": "runs of many seeds: qd.runs.campaign",
    "run --processes": "of many seeds",
    "importance --out": "a picture: qd.plots.importance",
    "importance --limit": "rows that are printed",
    "elites --csv": "what is printed is returned",
    "compare --pictures": "qd.plots.treatments",
}


def function_of(words: str) -> Any:
    found: Any = qd
    for word in words.split():
        found = getattr(found, OTHER_NAMES.get(word, word.replace("-", "_")))
    return found


@pytest.mark.parametrize("words", commands())
def test_every_command_has_its_function(words):
    function = function_of(words)
    assert callable(function)
    assert inspect.getdoc(function)


@pytest.mark.parametrize("words", commands())
def test_what_a_command_takes_its_function_takes(words):
    callback = commands()[words].callback
    assert callback is not None
    known = inspect.signature(function_of(words)).parameters
    if any(one.kind is one.VAR_KEYWORD for one in known.values()) and words not in ("run", "resume"):
        return  # `plot`: the options are those of the kind
    for name in set(inspect.signature(callback).parameters) - {"json"}:
        if f"{words} --{name}" not in ONLY_COMMANDS:
            assert {name, OTHER_OPTIONS.get(name)} & set(known), f"qd {words} has {name}"


def test_the_names_are_listed():
    assert set(qd.__all__) <= set(dir(qd))
    assert sorted(qd._HOMES) == sorted(qd.__all__)
    for name in qd.__all__:
        assert getattr(qd, name) is not None


def test_type_checkers_see_the_same_names_in_the_same_places():
    tree = ast.parse(Path(qd.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            module = f".{node.module}.{alias.name}" if alias.asname == "library" else f".{node.module}"
            seen[alias.asname or alias.name] = module
    assert seen == qd._HOMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'qd' has no attribute 'runn'"):
        qd.runn  # type: ignore[attr-defined]  # noqa: B018


def test_importing_qd_loads_no_library():
    code = "import sys; before = set(sys.modules); import qd; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ours = {name for name in loaded.split() if name.split(".")[0] not in sys.stdlib_module_names}
    assert ours == {"qd", "qd.display"}


def test_the_version_is_that_of_the_project():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == qd.__version__


def test_packages_say_that_they_are_typed():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for name in packages["packages"]:
        assert (ROOT / name / "py.typed").read_text() == ""
