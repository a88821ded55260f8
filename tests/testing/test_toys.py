"""Toys are plug-ins of strangers: they run, and need no pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import qd
from qd.testing.toys import copy_toy, names, source

RUN_FILE = """
space: {kind: "mine:Space", side: 12}
evaluator: {kind: "mine:Trained"}
archive: {objective: score, measures: [{metric: width, low: 0, high: 12, bins: 4}]}
emitters: [{kind: map_elites, initial: 8}]
budget: {evaluations: 24}
"""


def test_a_toy_is_a_plug_in_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = copy_toy("table", tmp_path, "mine")
    assert path == tmp_path / "mine.py"
    assert path.read_text() == source("table")
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    run = qd.run(tmp_path / "run.yaml", out=tmp_path / "out")
    assert run.count == 24
    sys.modules.pop("mine")


def test_a_toy_that_is_not_there_is_told() -> None:
    with pytest.raises(
        ValueError,
        match="there is no toy 'tabel'; known: climber, free, modules, networks, rings, stripes, table, vectors",
    ):
        source("tabel")


def test_toys_need_no_pytest() -> None:
    imports = "; ".join(f"import qd.testing.toys.{name}" for name in names())
    check = f"import sys; {imports}; assert 'pytest' not in sys.modules, 'pytest was imported'"
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
