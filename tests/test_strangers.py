"""Kinds that somebody else wrote, in a folder or in an installed package, do what ours do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import qd
from qd.archives import RecordedArchive
from qd.dashboard.results import Results
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
    difference = qd_command("plot", "difference", folder, folder, "--out", "x.png")
    assert difference.status == 2
    assert "only rings_of_mine:Rings knows its cells; give this plug-in's folder (--plugins)" in difference.err


def test_looking_takes_the_folder_of_a_plugin(workbench, settings, qd_command) -> None:
    folder = qd.run(workbench.write(**settings), out="run").folder.path
    lines = (
        ("show", folder),
        ("elites", folder),
        ("map", folder, "--out", "map.png"),
        ("plot", "difference", folder, folder, "--out", "difference.png"),
        ("report", folder),
        ("compare", folder),
    )
    code = (workbench.folder / "rings_of_mine.py").read_text()
    for words in lines:
        sys.modules.pop("rings_of_mine", None)
        (workbench.folder / "rings_of_mine.py").write_text(f"{code}\n# for {words[0]}\n")
        answer = qd_command(*words, "--plugins", workbench.folder)
        assert answer.status == 0, answer.err
        assert "rings_of_mine" in sys.modules, words
        sys.modules.pop("rings_of_mine")
        answer = qd_command(*words)
        assert "rings_of_mine" not in sys.modules, f"{words[0]} imported what nobody had named"
        if words[0] in ("plot", "compare"):
            assert answer.status == 2
            assert "only rings_of_mine:Rings knows its cells; give this plug-in's folder (--plugins)" in answer.err
    for plugins, recorded in ((None, True), (workbench.folder, False)):
        with Results(folder, plugins).open(folder.name).reading() as run:  # as qd serve does
            assert isinstance(run.archive, RecordedArchive) == recorded


PLOT = """
from qd.plots.base import Plot
from qd.plots.style import new_figure


class HowMany(Plot):
    about = "how many elites there are"

    def draw(self, run, objective=None):
        figure = new_figure(3, 2)
        figure.add_subplot().set_title(f"{len(run.archive)} elites of {objective or run.archive.objective.metric}")
        return figure


class Nothing(Plot):
    about = "draws nothing"


class Forgets(Plot):
    about = "forgets to give back what it drew"

    def draw(self, run):
        new_figure(3, 2)
"""


def test_a_strangers_plot_is_drawn_from_a_folder(finished, tmp_path, qd_command, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "how_many.py").write_text(PLOT)
    words = ("plot", "how_many:HowMany", finished, "--out", "x.svg")
    refused = qd_command(*words)
    assert refused.status == 2
    assert "'how_many:HowMany' is a plug-in; say where it lies with --plugins" in refused.err
    drawn = qd_command(*words, "--plugins", folder, "--objective", "width")
    assert drawn.status == 0, drawn.err
    assert drawn.err.count(f"importing how_many:HowMany from {folder}") == 1
    assert (tmp_path / "x.svg").stat().st_size
    figure = qd.plot("how_many:HowMany", finished, plugins=folder)
    assert isinstance(figure, Figure)
    assert figure.axes[0].get_title().endswith("elites of score")
    wrong = qd_command(*words, "--plugins", folder, "--cost", "width")
    assert "has no option --cost; it takes --objective" in wrong.err
    for kind, message in {
        "how_many:HowManny": "has no class 'HowManny'; did you mean 'HowMany'",
        "how_many:Nothing": "how_many:Nothing has no method draw",
        "how_many:Forgets": "Forgets.draw gave None; expected a figure",
        "how_many:Path": "has no class 'Path'",
        "nowhere:HowMany": "expected the plug-in 'nowhere' at ",
    }.items():
        with pytest.raises(UsageError, match=message):
            qd.plot(kind, finished, plugins=folder)
    for words in (("plot", "heatmap", finished, "--out", "x.svg"), ("elites", finished), ("show", finished)):
        lost = qd_command(*words, "--plugins", tmp_path / "lost")
        assert lost.status == 2
        assert f"--plugins {tmp_path / 'lost'}: there is no such folder" in lost.err


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
    (package / "how_many.py").write_text(PLOT)
    facts = site / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        f"[qd.archives]\nrings = {name}.rings:Rings\nbroken = {name}.nothing:Rings\nnone = {name}.climber:Climber\n"
        f"[qd.emitters]\nclimber = {name}.climber:Climber\n[qd.executors]\nlast_first = {name}.rings:LastFirst\n"
        f"[qd.plots]\nhow_many = {name}.how_many:HowMany\n"
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
    assert qd_command("plot", "how_many", "run", "--out", "how_many.png").status == 0
    assert "how_many: of an installed package" in qd_command("plot", "--help").out
    with pytest.raises(UsageError, match="`kind`: there is no picture 'how_manny'; did you mean 'how_many'"):
        qd.plot("how_manny", "run")


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


@pytest.fixture
def images(workbench) -> dict[str, Any]:
    copy_toy("stripes", workbench.folder, "stripes_of_mine")
    (workbench.folder / "run.yaml").unlink(missing_ok=True)
    return {
        "space": {"kind": "sparse_moe"},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "stripes_of_mine:Stripes", "noise": 50, "split": {"train": 100}},
            "training": {"epochs": 1},
        },
        "archive": {
            "objective": "val_accuracy",
            "measures": [{"metric": "parameters", "low": 100, "high": 100_000, "bins": 6, "scale": "log"}],
        },
        "search": {"order": "id", "seed": 1, "chunk": 4},
        "budget": {"evaluations": 8},
    }


def test_a_strangers_data_set_runs_resumes_and_goes_home(workbench, images, log_tables, qd_command) -> None:
    whole = qd.run(workbench.write("whole.yaml", **images), out="whole")
    assert set(whole.meta("digests")) == {"stripes_of_mine:Stripes"}
    assert whole.summary()["evaluations"]["ok"] == 8
    qd.run(workbench.write("half.yaml", **images | {"budget": {"evaluations": 4}}), out="half").close()
    half = qd.resume("half", budget={"evaluations": 8})
    assert log_tables(half.folder.path, resumed=True)["insertions"] == log_tables(whole.folder.path)["insertions"]
    assert qd_command("export", "whole", "--best", "--to", "home", "--format", "safetensors").status == 0
    card = Path("home/README.md").read_text()
    assert "stripes; licence: CC0 (nobody in particular)" in card
    assert any("upright" in path.read_text() for path in Path("home").glob("*.json"))
    answer = qd_command("train", "home", "--epochs", 2, "--to", "elsewhere")
    assert answer.status == 2
    assert "stripes_of_mine" in answer.err and "--plugins" in answer.err
    answer = qd_command("train", "home", "--epochs", 2, "--to", "longer", "--plugins", workbench.folder)
    assert answer.status == 0, answer.err
    (workbench.folder / "stripes_of_mine.py").unlink()
    for words in (("show",), ("elites",), ("map", "--out", "map.png")):
        assert qd_command(words[0], "whole", *words[1:]).status == 0, words
    answer = qd_command("resume", "whole", "budget.evaluations=12")
    assert answer.status == 2
    assert "evaluator.data.kind: expected the plug-in 'stripes_of_mine' at" in answer.err


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_find_a_strangers_data_set(workbench, images, log_tables) -> None:
    here = qd.run(workbench.write("here.yaml", **images), out="here")
    images["executor"] = {"kind": "ray", "workers": 2}
    there = qd.run(workbench.write("there.yaml", **images), out="there")
    assert log_tables(there.folder.path)["insertions"] == log_tables(here.folder.path)["insertions"]


UNNAMED = """
from dataclasses import dataclass
from evaluators.data import LabelledImages, Split

@dataclass(frozen=True)
class Unnamed(LabelledImages):
    image_shape = (1, 6, 6)
    examples = 4
    split: Split = Split()

    def load(self):
        ...
"""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("digitz", r"evaluator\.data\.kind: unknown DataSet 'digitz'; did you mean 'digits'"),
        ({"kind": "digits", "folder": "x"}, r"evaluator\.data\.folder: belongs to kind: fashion_mnist, mnist"),
        ({"kind": "stripes_of_mine:Stripes", "noize": 3}, r"evaluator\.data\.noize: unknown key; did you mean 'noise'"),
        ({"kind": "stripes_of_mine:Stripes", "noise": 101}, r"evaluator\.data: noise: expected 0 to 100, got 101"),
        ({"kind": "stripes_of_mine:np"}, r"evaluator\.data\.kind: "),
        ({"kind": "unnamed:Unnamed"}, r"evaluator: data: Unnamed declares no `name`"),
        (3, r"evaluator\.data: expected a name, or kind and its arguments, got 3"),
    ],
)
def test_a_data_set_that_cannot_be_used_is_explained(workbench, images, data, message) -> None:
    (workbench.folder / "unnamed.py").write_text(UNNAMED)
    images["evaluator"]["data"] = data
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(**images), out="run")


def test_a_task_of_a_stream_may_have_a_strangers_data_set(workbench, images) -> None:
    tasks = [{"data": {"kind": "stripes_of_mine:Stripes", "noise": 9}, "inverted": True}, {"data": "digits"}]
    sizes = {"train_examples": 60, "validation_examples": 40, "test_examples": 30, "training": {"epochs": 1}}
    images["evaluator"] = {"kind": "task_stream", "tasks": tasks, **sizes}
    run = qd.run(workbench.write(**images), out="run")
    assert run.summary()["evaluations"]["ok"] == 8
    assert run.task is not None and run.task.outputs == 2
    images["evaluator"]["tasks"][0]["noize"] = 0.5
    with pytest.raises(UsageError, match=r"evaluator\.tasks\[0\]\.noize: unknown key; did you mean 'noise'"):
        qd.run(workbench.write(**images), out="other")
