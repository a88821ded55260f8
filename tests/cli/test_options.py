"""The library names parameters, the command line options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qd
from qd.analysis.selection import Selection, choose
from qd.cli import commands
from qd.cli.options import Command, with_options
from qd.errors import UsageError


def test_every_command_speaks_of_options():
    assert len(commands()) > 18
    assert [name for name, one in commands().items() if not isinstance(one, Command)] == []


@pytest.mark.parametrize(
    ("command", "message", "expected"),
    [
        ("elites", "`sort`: no metric 'x'", "--sort: no metric 'x'"),
        ("map", "take it with `accepted_only`", "take it with --accepted-only"),
        ("elites", "write `log: all`, or `folder`, or `order`", "write `log: all`, or `folder`, or `order`"),
        ("run", "choose another `out`", "choose another --out"),
    ],
)
def test_parameters_become_options_where_the_command_has_them(command, message, expected):
    assert with_options(message, commands()[command].params) == expected


def test_the_library_and_the_command_line_each_speak_their_language(finished, qd_command):
    run = qd.open_run(finished)
    with pytest.raises(UsageError, match=r"^`sort`: no metric 'scor' was logged; did you mean 'score'\?$"):
        run.elites(sort="scor")
    assert "--sort: no metric 'scor' was logged" in qd_command("elites", finished, "--sort", "scor").err
    with pytest.raises(UsageError, match=r"^`where` 'width >': "):
        run.elites("width >")
    assert "qd: --where 'width >': " in qd_command("elites", finished, "--where", "width >").err
    with pytest.raises(UsageError, match=r"^`cell`: expected bins such as 3,7, got 'x'$"):
        choose(run, Selection(cell="x"))
    answer = qd_command("export", finished, "--cell", "x", "--to", "exported")
    assert answer.err == "qd: --cell: expected bins such as 3,7, got 'x'\n"
    assert not Path("exported").exists()


@pytest.mark.parametrize("ending", ["exit(3)", "raise SystemExit", "import sys; sys.exit('bye')"])
def test_no_code_that_a_command_calls_ends_it(workbench, qd_command, ending):
    """What a search evaluates costs a candidate; everything else that is called comes through here."""
    (workbench.folder / "leaving.py").write_text(
        f"from qd.plots.base import Plot\n\ndef draw(run):\n    {ending}\n\n\n"
        "class Leaving(Plot):\n    about = 'nothing'\n    draw = staticmethod(draw)\n"
    )
    qd.run(workbench.write(budget={"evaluations": 8}), out="run")
    answer = qd_command("plot", "leaving:Leaving", "run", "--plugins", workbench.folder, "--out", "x.png")
    assert answer.status == 1
    assert re.search(r"qd: .*leaving\.py, line 4: exit\(.*\) was called while .*plot ran", answer.err)


def test_no_message_of_the_library_names_an_option():
    """But those of programs of their own (`ray start --head`), and whole commands for a person to type."""
    root = Path(qd.__file__).parent
    option = re.compile(r"(?<![\w-])--[a-z]")
    whole = re.compile(r"qd [a-z]+ .*--|ray start.*--|scripts/setup --gpu|\"--[a-z-]+\"|nvidia-smi$|`qd [a-z ]+--json`")
    found = []
    for room in ("store", "analysis", "plots", "exporting", "transfer", "runs"):
        for path in sorted((root / room).rglob("*.py")):
            lines = path.read_text().splitlines()
            found += [f"{path}: {line.strip()}" for line in lines if option.search(line) and not whole.search(line)]
    assert found == []
