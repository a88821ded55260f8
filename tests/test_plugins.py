"""Modules of plug-ins are executed once, keep to their own neighbours, and are executed again when they were edited."""

from __future__ import annotations

import contextlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import qd
from qd.candidates import Candidates
from qd.config import load
from qd.errors import UsageError
from qd.executors.base import evaluate
from qd.registry import Registry
from qd.runs import problem
from qd.search.problem import Problem
from search_spaces import Real, SearchSpace, Struct

SPACE = """
from search_spaces import Real, SearchSpace, Struct

class Space(SearchSpace):
    genes = Struct(x=Real(0, 1))
"""
SCORE = """
from evaluators import Metric, SingleEvaluator

class Score(SingleEvaluator):
    metrics = {"q": Metric(low=0, high=10), "a": Metric(low=0, high=1)}

    def bind(self, space):
        assert isinstance(space, Space), "the space's class is another than the one that this evaluator imported"
        super().bind(space)

    def evaluate_one(self, genotype, seed):
        return {"q": SCALE, "a": genotype["x"]}
"""
LAZY = SCORE.replace('        return {"q"', '        from helper import SCALE\n        return {"q"')
BY_NAME = "import importlib\nSCALE = importlib.import_module('helper').SCALE\n"
WHOLE = SPACE + "SCALE = 1\n" + SCORE

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files into a folder of this test; afterwards nothing that lies there is imported any more."""
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"import builtins\nbuiltins.executed.append(__name__)\n{text}")
        return tmp_path

    monkeypatch.setattr("builtins.executed", [], raising=False)
    yield write
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def executed() -> list[str]:
    """Modules of plug-ins, in the order in which they were executed."""
    return sorted(vars(sys.modules["builtins"])["executed"])


def run_file(folder: Path, space: str = "mine:Space", evaluator: str = "mine:Score", **changes: Any) -> Path:
    data: dict[str, Any] = {
        "space": {"kind": space},
        "evaluator": {"kind": evaluator},
        "archive": {"objective": "q", "measures": [{"metric": "a", "low": 0, "high": 1, "bins": 4}]},
        "budget": {"evaluations": 8},
    }
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(data | changes))
    return file


def prepare(file: Path) -> Problem:
    return problem.prepare(load(file), str(file), file.parent)


def best(file: Path, out: str) -> float:
    found = qd.run(file, out=out).archive.best
    assert found is not None
    return found.objective


SHAPES = {
    "one file": ({"mine.py": WHOLE}, "mine:Space", "mine:Score"),
    "two files": ({"a.py": SPACE, "b.py": "from a import Space\nSCALE = 1\n" + SCORE}, "a:Space", "b:Score"),
    "evaluator first": ({"a.py": SPACE, "b.py": "from a import *\nSCALE = 1\n" + SCORE}, "b:Space", "b:Score"),
    "package that imports its modules": (
        {
            "pkg/__init__.py": "from .score import Score\nfrom .space import Space\n",
            "pkg/space.py": SPACE,
            "pkg/score.py": "from .space import Space\nSCALE = 1\n" + SCORE,
        },
        "pkg.space:Space",
        "pkg.score:Score",
    ),
    "package under two names": (
        {
            "pkg/__init__.py": "from pkg.space import Space\n",
            "pkg/space.py": SPACE,
            "pkg/score.py": "from pkg import Space\nSCALE = 1\n" + SCORE,
        },
        "pkg:Space",
        "pkg.score:Score",
    ),
    "folder without __init__": (
        {"parts/space.py": SPACE, "parts/score.py": "from .space import Space\nSCALE = 1\n" + SCORE},
        "parts.space:Space",
        "parts.score:Score",
    ),
    "src": (
        {
            "src/pkg/__init__.py": "",
            "src/pkg/space.py": SPACE,
            "src/pkg/score.py": "from .space import Space\nSCALE = 1\n" + SCORE,
        },
        "src.pkg.space:Space",
        "src.pkg.score:Score",
    ),
    "circle": (
        {"a.py": SPACE + "import b\n", "b.py": "import a\nSCALE = 1\nfrom a import Space\n" + SCORE},
        "a:Space",
        "b:Score",
    ),
    "main guard": ({"mine.py": WHOLE + "if __name__ == '__main__':\n    1 / 0\n"}, "mine:Space", "mine:Score"),
    "imports __main__": ({"mine.py": "import __main__\n" + WHOLE}, "mine:Space", "mine:Score"),
    "odd names": (
        {"größe.py": SPACE, "class.py": "from größe import Space\nSCALE = 1\n" + SCORE},
        "größe:Space",
        "class:Score",
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["folder", "a folder with spaces/ü"])
def test_every_module_is_executed_once(write, tmp_path, shape, place) -> None:
    files, space, evaluator = SHAPES[shape]
    write({f"{place}/{name}": text for name, text in files.items()})
    for _ in range(2):
        parts = prepare(run_file(tmp_path / place, space, evaluator))
        assert type(parts.space).__module__ == sys.modules[type(parts.space).__module__].__name__
        assert len(executed()) == len(set(executed())) == len(files)
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_linked_file_and_a_linked_package_are_executed_once(write, tmp_path) -> None:
    write({"shared/mine.py": "from pkg import Space\nSCALE = 1\n" + SCORE, "elsewhere/pkg/__init__.py": SPACE})
    project = tmp_path / "project"
    project.mkdir()
    (project / "mine.py").symlink_to("../shared/mine.py")
    (project / "pkg").symlink_to("../elsewhere/pkg")
    (tmp_path / "link").symlink_to("project")
    for folder in ("project", "link"):
        prepare(run_file(tmp_path / folder, "pkg:Space", "mine:Score"))
    assert executed() == ["mine", "pkg"]


def test_what_was_imported_before_a_run_is_not_executed_again(write, tmp_path, monkeypatch) -> None:
    file = run_file(
        write({"mine.py": WHOLE.replace("SCALE = 1", "from helper import SCALE"), "helper.py": "SCALE = 2"})
    )
    monkeypatch.syspath_prepend(tmp_path)
    import helper  # pyright: ignore[reportMissingImports]
    import mine  # pyright: ignore[reportMissingImports]

    assert best(file, "a") == 2
    assert executed() == ["helper", "mine"]
    assert isinstance(prepare(file).space, mine.Space)
    assert helper.SCALE == 2
    (tmp_path / "helper.py").write_text("SCALE = 3")
    assert best(file, "b") == 3


NEIGHBOURS = {
    "at the top": "from helper import SCALE\n" + SCORE,
    "within a function": LAZY,
    "by a string": BY_NAME + SCORE,
    "of a package": "from parts.deep import SCALE\n" + SCORE,
    "of a folder without __init__": "from folder.deep import SCALE\n" + SCORE,
}


def project(write: Write, name: str, scale: int, neighbour: str) -> Path:
    files = {"mine.py": SPACE + neighbour, "parts/__init__.py": ""}
    files |= dict.fromkeys(("helper.py", "parts/deep.py", "folder/deep.py"), f"SCALE = {scale}")
    write({f"{name}/{file}": text for file, text in files.items()})
    return run_file(write({}) / name)


def scale_of(file: Path) -> float:
    """What the evaluator of a run file takes from its neighbour, within a search."""
    parts = prepare(file)
    ids = np.array([1])
    with parts.registry.at_hand():
        found = evaluate(parts.evaluator, Candidates(ids, ids, ids, 1, [{"x": 0.5}]))
    return found.metrics["q"][0]


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_two_projects_keep_their_neighbours_and_edits_are_taken_up(write, neighbour) -> None:
    a, b = (project(write, name, scale, NEIGHBOURS[neighbour]) for name, scale in (("A", 1), ("B", 2)))
    assert [scale_of(file) for file in (a, b, a, b)] == [1, 2, 1, 2]
    assert len(executed()) == len(set(executed())) * 2, "modules were executed again when their turn came again"
    project(write, "A", 3, NEIGHBOURS[neighbour])  # as long as before, and within the same second
    assert [scale_of(file) for file in (a, b, a)] == [3, 2, 3]


@pytest.mark.parametrize(
    ("neighbour", "file"),
    [
        ("at the top", "helper.py"),
        ("within a function", "helper.py"),
        ("by a string", "helper.py"),
        ("of a package", "parts/deep.py"),
        ("of a folder without __init__", "folder/deep.py"),
    ],
)
def test_a_resume_warns_of_neighbours_that_were_edited(write, logged, neighbour, file) -> None:
    assert best(project(write, "A", 1, NEIGHBOURS[neighbour]), "out") == 1
    scale_of(project(write, "B", 2, NEIGHBOURS[neighbour]))
    project(write, "A", 4, NEIGHBOURS[neighbour])
    logged.clear()
    resumed = qd.resume("out", budget={"evaluations": 16}).archive.best
    assert resumed is not None
    assert resumed.objective == 4
    warnings = [line for line in logged.messages if "has changed since the run began" in line]
    assert [line.split()[3] for line in warnings] == [file]


def test_two_searches_that_are_open_at_once_keep_their_neighbours(write) -> None:
    space = SPACE + (
        "    def canonical(self, genotype):\n"
        "        from helper import SCALE\n"
        "        builtins.executed.append(f'{SCALE} in {__file__}')\n"
        "        return genotype\n"
    )
    for name, scale in (("A", 1), ("B", 2)):
        write({f"{name}/mine.py": space + "SCALE = 0\n" + SCORE, f"{name}/helper.py": f"SCALE = {scale}"})
    with contextlib.ExitStack() as stack:
        a, b = (
            stack.enter_context(qd.open_search(run_file(Path(name), search={"order": "arrival"}), out=f"out-{name}"))
            for name in "AB"
        )
        for _ in range(2):
            for search in (a, b):
                search.tell(search.ask(2), [{"q": 1, "a": 0.1}, {"q": 2, "a": 0.9}])
    seen = {f"{line[:4]} {Path(line).parent.name}" for line in executed() if " in " in line}
    assert seen == {"1 in A", "2 in B"}


def test_a_notebooks_own_modules_are_not_taken_for_those_of_a_run_elsewhere(write, tmp_path, monkeypatch) -> None:
    """The notebook lies in a folder that has a `helper.py`, too."""
    file = project(write, "A", 1, NEIGHBOURS["within a function"])
    write({"helper.py": "SCALE = 7", "other.py": ""})
    monkeypatch.syspath_prepend(tmp_path)
    import helper  # pyright: ignore[reportMissingImports]

    assert best(file, "out") == 1
    assert sys.modules["helper"] is helper
    assert best(file, "again") == 1
    assert executed() == ["helper", "helper", "mine"]
    (tmp_path / "A/other.py").write_text("1 / 0")
    import other  # pyright: ignore[reportMissingImports]

    assert Path(other.__file__ or "") == tmp_path / "other.py"


def find(folder: Path, kind: str) -> type:
    return Registry(folder).find("spaces", kind, "space")


BROKEN = {
    "the plug-in": ({"bad.py": "import whole\n1 / 0\n"}, "ZeroDivisionError: division by zero (bad.py, line 4)"),
    "a neighbour": (
        {"bad.py": "import whole\nimport worse\n", "worse.py": "\nimport not_there\n"},
        "ModuleNotFoundError: No module named 'not_there' (worse.py, line 4)",
    ),
    "syntax": ({"bad.py": "class Space(:\n"}, "SyntaxError: invalid syntax (bad.py, line 3)"),
    "no text": ({"bad.py": "\0"}, "source code string cannot contain null bytes"),
    "circle": (
        {"bad.py": "from worse import Other\n" + SPACE, "worse.py": "from bad import Space\nclass Other: ...\n"},
        "ImportError: cannot import name 'Space' from partially initialized module 'bad'",
    ),
    "package": (
        {"bad/__init__.py": "from . import good\nfrom . import worse\n", "bad/good.py": "", "bad/worse.py": "1 / 0"},
        "ZeroDivisionError: division by zero (worse.py, line 3)",
    ),
    "starts a search": (
        {"bad.py": SPACE + "import qd\nqd.run('run.yaml', out='out')\n"},
        "bad is being imported, and begins a search of its own meanwhile; write what begins it under"
        ' `if __name__ == "__main__":`',
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_an_import_that_fails_is_explained_and_leaves_nothing_behind(write, tmp_path, broken) -> None:
    files, message = BROKEN[broken]
    write({**files, "whole.py": ""})
    run_file(tmp_path, "bad:Space")
    for _ in range(2):
        with pytest.raises(UsageError, match=f"space.kind: importing {tmp_path}/bad.* failed: ") as refusal:
            find(tmp_path, "bad:Space")
        assert message in str(refusal.value)
        assert not {"bad", "bad.good", "bad.worse", "worse", "whole"} & sys.modules.keys()
    assert not (tmp_path / "out").exists()
    for name in files:
        write({name: SPACE})
    assert find(tmp_path, "bad:Space").__name__ == "Space"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0o000, 0o200])
def test_a_plug_in_that_may_not_be_read_is_explained(write, tmp_path, mode) -> None:
    (write({"mine.py": SPACE}) / "mine.py").chmod(mode)
    with pytest.raises(UsageError, match=r"importing .*mine\.py failed: PermissionError: "):
        find(tmp_path, "mine:Space")


@pytest.mark.parametrize("name", ["random", "types", "test", "wave", "torch", "yaml", "qd", "evaluators", "__main__"])
def test_a_plug_in_never_takes_the_name_of_a_module_of_somebody_else(write, tmp_path, name) -> None:
    write({f"{name}.py": SPACE})
    before = sys.modules.get(name)
    message = rf"there is another module named '{name}' \(.*\); give {name}\.py another name"
    with pytest.raises(UsageError, match=message):
        find(tmp_path, f"{name}:Space")
    assert sys.modules.get(name) is before
    assert executed() == []


@pytest.mark.parametrize("name", ["random", "wave", "yaml", "evaluators"])
def test_a_neighbour_that_nobody_can_import_is_told(write, tmp_path, logged, name) -> None:
    write({f"{name}.py": "1 / 0", "mine.py": f"import {name}\nimport beside\n{SPACE}", "beside.py": f"import {name}"})
    assert find(tmp_path, "mine:Space").__name__ == "Space"
    told = [line for line in logged.messages if f"never {tmp_path}/{name}.py; give that file another name" in line]
    assert sorted(line.split(" imports ")[0] for line in told) == [f"{tmp_path}/beside.py", f"{tmp_path}/mine.py"]
    logged.clear()
    find(tmp_path, "mine:Space")
    assert not logged.messages


def test_our_own_folder_may_hold_plug_ins(monkeypatch) -> None:
    """A run file at the top of the repository: `qd` and `evaluators` lie beside it."""
    root = Path(__file__).resolve().parents[1]
    before = sys.modules["evaluators"]
    assert find(root, "tests.test_plugins:Here") is Here
    assert sys.modules["evaluators"] is before


class Here(SearchSpace):
    genes = Struct(x=Real(0, 1))


def test_what_an_environment_beside_the_run_file_holds_is_no_plug_in(write, tmp_path, monkeypatch) -> None:
    """`.venv` lies in the folder; a package is installed so that its files stay there (`pip install -e .`)."""
    site = tmp_path / ".venv/lib/site-packages"
    write({"installed_here.py": SPACE, ".venv/lib/site-packages/dependency.py": ""})
    write({"mine.py": "import dependency\nfrom installed_here import Space\n"})
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(tmp_path)
    assert find(tmp_path, "mine:Space") is find(tmp_path, "installed_here:Space")
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text() + "# edited\n")
    find(tmp_path, "mine:Space")
    assert executed() == ["dependency", "installed_here", "installed_here", "mine", "mine"]


def test_a_class_that_lies_in_an_archive_has_no_digest(tmp_path, monkeypatch) -> None:
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zipped_space.py", SPACE)
    (tmp_path / "mine.py").write_text("from zipped_space import Space\n")
    monkeypatch.syspath_prepend(tmp_path / "zipped.zip")
    registry = Registry(tmp_path)
    registry.find("spaces", "mine:Space", "space")
    assert registry.digests.keys() == {"mine:Space", "mine.py"}
    assert registry.digests["mine:Space"] == ""
    del sys.modules["zipped_space"], sys.modules["mine"]


def test_a_neighbour_that_is_gone_at_resume_is_named(write, tmp_path) -> None:
    qd.run(project(write, "A", 1, NEIGHBOURS["at the top"]), out="out").close()
    (tmp_path / "A/helper.py").unlink()
    with pytest.raises(UsageError, match=r"importing .*mine\.py failed: ModuleNotFoundError: .*'helper' \(mine\.py"):
        qd.resume("out", budget={"evaluations": 16})


def test_pools_of_processes_find_the_neighbours(write, tmp_path) -> None:
    """What is pickled by name is imported by name in a process that was started afresh."""
    pool = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "def scale(x):\n"
        "    from helper import SCALE\n"
        "    return SCALE\n"
        "def in_pool():\n"
        "    with ProcessPoolExecutor(1, get_context('spawn')) as pool:\n"
        "        return pool.submit(scale, 0).result()\n"
    )
    for name, scale in (("A", 1), ("B", 2)):
        write({f"{name}/mine.py": SPACE, f"{name}/helper.py": ""})
        (tmp_path / name / "helper.py").write_text(f"SCALE = {scale}\n")
        (tmp_path / name / "mine.py").write_text(SPACE + pool)
    for name, scale in (("A", 1), ("B", 2)):
        found = find(tmp_path / name, "mine:Space")
        assert sys.modules[found.__module__].in_pool() == scale


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_of_a_cluster_do_the_same(write, tmp_path) -> None:
    executor = {"kind": "ray", "workers": 1, "cpus": 0.5}
    files = [project(write, name, scale, NEIGHBOURS["within a function"]) for name, scale in (("A", 1), ("B", 2))]
    for file in files:
        for path in file.parent.rglob("*.py"):
            path.write_text(path.read_text().replace("builtins.executed.append(__name__)", ""))
    assert [scale_of(file) for file in files] == [1, 2]
    assert best(run_file(files[0].parent, executor=executor), "out") == 1
