"""Kinds that somebody else wrote, in a folder or in an installed package, do what ours do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.archives import RecordedArchive
from qd.errors import UsageError
from qd.testing.toys import copy_toy

SEARCH = {"order": "arrival", "chunk": 4, "window": 4}


@pytest.fixture
def settings(workbench) -> dict[str, Any]:
    copy_toy("climber", workbench.folder, "climber_of_mine")
    copy_toy("rings", workbench.folder, "rings_of_mine")
    return {
        "archive": {"kind": "rings_of_mine:Rings", "rings": 7},
        "emitters": [{"kind": "climber_of_mine:Climber", "initial": 30}],
        "executor": {"kind": "rings_of_mine:LastFirst", "ahead": 2},
        "search": SEARCH,
        "budget": {"evaluations": 120},
    }


def test_a_strangers_archive_emitter_and_executor_run_and_resume(workbench, settings, log_tables) -> None:
    whole = qd.run(workbench.write("whole.yaml", **settings), out="whole")
    qd.run(workbench.write("half.yaml", **settings | {"budget": {"evaluations": 60}}), out="half").close()
    half = qd.resume("half", budget={"evaluations": 120})
    assert log_tables(half.folder.path, resumed=True)["insertions"] == log_tables(whole.folder.path)["insertions"]
    assert set(whole.meta("digests")) == {
        f"{workbench.module}:Space", f"{workbench.module}:Table", "climber_of_mine:Climber", "rings_of_mine:Rings",
        "rings_of_mine:LastFirst",
    }  # fmt: skip


@pytest.mark.parametrize("log", ["all", "accepted"])
def test_the_log_tells_of_an_archive_whose_plugin_is_not_there(workbench, settings, qd_command, log) -> None:
    folder = qd.run(workbench.write(**settings, log=log), out="run").folder.path
    known = qd.open_run(folder, plugins=workbench.folder)
    archive = qd.open_run(folder).archive
    assert isinstance(archive, RecordedArchive)
    assert not isinstance(known.archive, RecordedArchive)
    assert dict(archive.elites) == dict(known.archive.elites)
    for name in ("cells", "coverage", "qd_score", "outside"):
        assert getattr(archive, name) == pytest.approx(getattr(known.archive, name)), name
    assert archive.best == known.archive.best
    (workbench.folder / "rings_of_mine.py").unlink()
    run = qd.open_run(folder)
    assert run.elites().equals(known.elites())
    assert run.history().equals(known.history())
    for words in (("show",), ("elites",), ("map", "--out", "map.png"), ("report",)):
        assert qd_command(words[0], folder, *words[1:]).status == 0, words
    with pytest.raises(UsageError, match=r"only rings_of_mine:Rings knows its cells; give this plug-in's folder"):
        archive.with_cells()
    assert qd_command("plot", "difference", folder, folder, "--out", "x.png").status == 2


def test_a_wrong_key_of_a_strangers_archive_is_refused(workbench, settings) -> None:
    settings["archive"] = {"kind": "rings_of_mine:Rings", "ringz": 7}
    with pytest.raises(UsageError, match=r"archive\.ringz: unknown key; did you mean 'rings'"):
        qd.run(workbench.write(**settings), out="run")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package as pip leaves it, whose entry points name an archive and an emitter."""
    site, name = tmp_path / "site", f"strange_{abs(hash(tmp_path)) % 10**8}"
    package = site / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    copy_toy("climber", package)
    copy_toy("rings", package)
    facts = site / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        f"[qd.archives]\nrings = {name}.rings:Rings\nbroken = {name}.nothing:Rings\nnone = {name}.climber:Climber\n"
        f"[qd.emitters]\nclimber = {name}.climber:Climber\n[qd.executors]\nlast_first = {name}.rings:LastFirst\n"
    )
    monkeypatch.syspath_prepend(site)
    yield name
    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[module]


def test_an_installed_package_gives_kinds_by_name(workbench, installed, qd_command) -> None:
    settings = {
        "archive": {"kind": "rings", "rings": 5},
        "emitters": [{"kind": "climber", "initial": 20}],
        "executor": {"kind": "last_first"},
        "search": SEARCH,
    }
    file = workbench.write(**settings, budget={"evaluations": 60})
    qd.run(file, out="run").close()
    run = qd.resume("run", budget={"evaluations": 100})
    assert run.archive.cells == 5
    assert type(run.archive).__name__ == "Rings"
    assert {"rings", "climber", "last_first"} < set(run.meta("digests"))
    assert qd_command("map", "run", "--out", "map.png").status == 0
    assert qd_command("plot", "difference", "run", "run", "--out", "difference.png").status == 0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ringz", r"unknown Archive 'ringz'; did you mean 'rings'\?"),
        ("broken", r"importing \w+\.nothing:Rings, which is installed as 'broken', failed: ModuleNotFoundError"),
        ("none", r"none is no Archive: derive it from qd\.archives\.base\.Archive"),
    ],
)
def test_an_installed_kind_that_cannot_be_used_is_explained(workbench, installed, kind, message) -> None:
    with pytest.raises(UsageError, match=rf"archive\.kind: {message}"):
        qd.run(workbench.write(archive={"kind": kind}), out="run")
