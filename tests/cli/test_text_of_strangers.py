"""What strangers' code writes can be stored, and moves nobody's cursor."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import qd
from qd.wording import printable

ODD = "\x1b[2J\x1b]0;title\x07 \u202etxt.exe \udce9 \0 \r\u2028"
PLUGIN = f"""
import networkx
from evaluators import Metric, SingleEvaluator
from qd.emitters.map_elites import MapElites
from search_spaces import Choice, Integer, Invalid, SearchSpace, Struct

ODD = {ODD!r}

class Space(SearchSpace):
    genes = Struct(x=Integer(0, 29), name=Choice("plain", ODD))

    def module_graph(self, genotype):
        graph = networkx.DiGraph()
        graph.add_node(ODD, label=ODD, kind=ODD, size=1, layer=0)
        return graph

class Loud(SingleEvaluator):
    metrics = {{"score": Metric(ODD, 0, 30), "width": Metric(ODD, 0, 30)}}

    def evaluate_one(self, genotype, seed):
        if genotype["x"] == 3:
            raise RuntimeError(ODD + "x" * 1_000_000 + ODD)
        if genotype["x"] == 4:
            raise Invalid(ODD)
        return {{"score": genotype["x"], "width": genotype["x"]}}

class Named(MapElites):
    def ask(self, n, archive, rng):
        found = super().ask(n, archive, rng)
        return found._replace(operators=[ODD + "y" * 1_000_000] * n)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loud")
    (folder / "loud_text.py").write_text(PLUGIN)
    data = {
        "space": {"kind": "loud_text:Space"},
        "evaluator": {"kind": "loud_text:Loud"},
        "archive": {"objective": "score", "measures": [{"metric": "width", "low": 0, "high": 30, "bins": 6}]},
        "emitters": [{"kind": "loud_text:Named", "initial": 100}],
        "budget": {"evaluations": 60},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(data))
    return qd.run(folder / "run.yaml", out=folder / "run").folder.path


def test_the_log_holds_it_in_bounds(run):
    with contextlib.closing(sqlite3.connect(run / "log.sqlite")) as log:
        errors = [row[0] for row in log.execute("SELECT _error FROM results WHERE _status > 0")]
        operators = [row[0] for row in log.execute("SELECT DISTINCT operator FROM candidates")]
    assert errors
    assert all(len(text) < 20_200 and printable(text) == text for text in errors)
    assert any("more …]" in text for text in errors)
    assert operators == [printable(ODD + "y" * 1_000_000, 100)]


COMMANDS = (
    "show RUN",
    "elites RUN",
    "elites RUN --csv",
    "elites RUN --json",
    "map RUN --out OUT.png",
    "report RUN --out OUT.html",
    "plot operators RUN --out OUT.svg",
    "plot architecture RUN --id 1 --out OUT.svg",
    "plot lineage RUN --id 1 --out OUT.svg",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_shows_what_moves_the_cursor(run, qd_command, tmp_path, command):
    out = str(tmp_path / "out")
    answer = qd_command(*[word.replace("RUN", str(run)).replace("OUT", out) for word in command.split()])
    assert (answer.status, [path for path in answer.err.splitlines() if "warning" in path]) == (0, [])
    written = [path.read_text() for path in tmp_path.glob("out.*") if path.suffix != ".png"]
    for text in (answer.out, answer.err, *written):
        assert not {"\x1b", "\u202e", "\udce9", "\0", "\x07"} & set(text)


def test_an_encoding_that_lacks_most_characters_takes_it(run):
    """As where `LC_ALL` or `PYTHONIOENCODING` says ASCII, in a pipe or a batch system."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(qd.__file__).parents[1])}
    for words in ("show", "elites"):
        command = [sys.executable, "-c", "from qd.cli import main; main()", words, str(run)]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.isascii()


def test_a_path_that_is_no_text_is_named_in_a_message(qd_command, tmp_path):
    answer = qd_command("show", os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\x1b[2J"))
    assert answer.status == 2
    assert r"caf\udce9\x1b[2J is no run folder" in answer.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand “ö” 漢字 🙂", "two\nlines\tand “ö” 漢字 🙂"),
        ("two\r\nlines", "two\nlines"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\udce9\0\x9b\u202e", r"\udce9\x00\x9b\u202e"),
        ("a" * 20 + "b" * 80, "aaaaa[… 90 more …]bbbbb"),
    ],
)
def test_plain_text(text, shown):
    assert printable(text, 10 if len(text) > 50 else None) == shown
