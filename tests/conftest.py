"""What holds for all tests, and the workbench: a folder with a tabular plug-in and a run file."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from hypothesis import settings

from qd.cli import main
from qd.executors import Executor
from qd.runs.launch import begin
from qd.search.full import Search
from qd.search.loop import Ending
from qd.search.problem import Problem
from qd.store.log import Log
from qd.testing.toys import copy_toy
from qd.training.device import pin_threads

# One thread here and in every process that a test starts: two trainings that share two cores are thirty times as slow
# with two threads each.
pin_threads()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# No deadline: how long an example takes says something about the machine and not about the code.
settings.register_profile("qd", deadline=None)
settings.load_profile("qd")

ROOT = Path(__file__).resolve().parents[1]


class Answer(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


@dataclass
class Workbench:
    """A stranger's folder: a plug-in under a module name of its own, and run files."""

    folder: Path
    module: str

    @property
    def plugin(self) -> Path:
        return self.folder / f"{self.module}.py"

    def forget(self) -> None:
        """Let the next search import the plug-in again, as a new process would."""
        sys.modules.pop(self.module, None)

    def config(self, **changes: Any) -> dict[str, Any]:
        """The plain data of a run file; a mapping among the changes is laid over what is there."""
        data: dict[str, Any] = {
            "space": {"kind": f"{self.module}:Space"},
            "evaluator": {"kind": f"{self.module}:Table"},
            "archive": {
                "objective": "score",
                "measures": [
                    {"metric": "width", "low": 0, "high": 30, "bins": 10},
                    {"metric": "height", "low": 0, "high": 30, "bins": 10},
                ],
            },
            "emitters": [{"kind": "map_elites", "initial": 40}],
            "search": {"seed": 3, "order": "id", "chunk": 4},
            "budget": {"evaluations": 200},
        }
        for name, value in changes.items():
            if isinstance(value, Mapping) and isinstance(data.get(name), dict):
                data[name] |= value
            else:
                data[name] = value
        return data

    def write(self, name: str = "run.yaml", **changes: Any) -> Path:
        """Write a run file."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(self.config(**changes)))
        return path

    def search(
        self,
        out: str,
        executor: Callable[[Problem], Executor] | None = None,
        prepare: Callable[[Search, Log], None] = lambda search, log: None,
        **changes: Any,
    ) -> tuple[Search, Ending]:
        """What `qd.run` does, with the test's hand on the search and its log before the first proposal."""
        with begin(self.write(**changes), out=self.folder / out, executor=executor) as opened:
            assert isinstance(opened.search, Search)
            prepare(opened.search, opened.log)
            return opened.search, opened.drive()


_numbers = itertools.count()


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A fresh workbench, which is also the working directory."""
    with make_workbench(tmp_path) as bench:
        monkeypatch.chdir(tmp_path)
        yield bench


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a finished run with weights, which tests look at or copy, and never change."""
    import qd

    with make_workbench(tmp_path_factory.mktemp("finished")) as bench:
        file = bench.write(evaluator={"kind": f"{bench.module}:Trained", "failing": 0.1})
        folder = qd.run(file, out=bench.folder / "finished").folder.path
        bench.plugin.unlink()  # looking needs no plug-in
        before = digests_of(folder)
        yield folder
        assert digests_of(folder) == before, "a test changed what all tests look at: it should have copied it"


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search for small mixtures of experts on the digits, in a folder of its own."""
    import qd

    folder = tmp_path_factory.mktemp("results")
    file = folder.parent / f"{folder.name}.yaml"
    data = {
        "space": {"kind": "sparse_moe"},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "digits", "split": {"train": 300}},
            "training": {"epochs": 1},
        },
        "archive": {
            "objective": "val_accuracy",
            "measures": [
                {"metric": "active_parameters", "low": 500, "high": 60000, "bins": 8, "scale": "log"},
                {"metric": "specialisation", "low": 0, "high": 1, "bins": 6},
            ],
        },
        "emitters": [{"kind": "map_elites", "initial": 16}],
        "search": {"seed": 5, "order": "id", "chunk": 8, "window": 8},
        "budget": {"evaluations": 48},
    }
    file.write_text(yaml.safe_dump(data))
    return qd.run(file, out=folder / "moe").folder.path


CHROMIUM_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --host-resolver-rules=MAP\\ *\\ ~NOTFOUND,EXCLUDE\\ 127.0.0.1"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright, that resolves no name: it reaches 127.0.0.1 and files alone."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install -e '.[test]'"
    )
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium on PATH: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=shlex.split(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """Where pictures of pages are kept as artefacts of the tests: build/screenshots of the repository."""
    folder = request.config.rootpath / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def make_workbench(folder: Path) -> Iterator[Workbench]:
    bench = Workbench(folder, f"table_{next(_numbers)}")
    copy_toy("table", folder, bench.module)
    path = list(sys.path)
    yield bench
    sys.path[:] = path
    bench.forget()


@pytest.fixture
def qd_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run `qd WORDS…` in this process."""

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["qd", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        return Answer(int(ending.value.code or 0), out, err)

    return call


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the library says to people: `logged.messages`."""
    caplog.set_level(logging.INFO, "qd")
    return caplog


@pytest.fixture
def qd_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `qd WORDS…` as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, cwd: Path, before: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", f"{before}\nfrom qd.cli import main\nmain()", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        started.append(
            subprocess.Popen(
                command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


TIMES = {"results": ["_seconds"], "tells": ["seconds"], "sessions": ["started", "process"]}
OF_A_RESUME = {"results": ["_attempt"], "evaluations": ["session"], "sessions": ["id"]}


@pytest.fixture
def log_tables() -> Callable[..., dict[str, Any]]:
    """Read all of a log but times; `resumed=True` leaves out what says in which session something happened, too."""

    def read(folder: Path, resumed: bool = False) -> dict[str, Any]:
        with contextlib.closing(sqlite3.connect(folder / "log.sqlite")) as log:
            log.row_factory = sqlite3.Row
            names = [row["name"] for row in log.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            tables: dict[str, Any] = {name: list(map(dict, log.execute(f"SELECT * FROM {name}"))) for name in names}
        for changing in (TIMES, OF_A_RESUME) if resumed else (TIMES,):
            for name, columns in changing.items():
                tables[name] = [{k: v for k, v in row.items() if k not in columns} for row in tables[name]]
        tables["state"] = {k: v for k, v in json.loads(tables["state"][0]["value"]).items() if k != "seconds"}
        if resumed:
            del tables["sessions"]
        return tables

    return read


@pytest.fixture
def digests() -> Callable[[Path], dict[str, str]]:
    """{path: SHA-256} of every file in a folder."""

    return digests_of


def digests_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write a run file of the cheap task: `cheap(space="Vectors", log="accepted", budget={...})`."""
    module = f"cheap_{next(_numbers)}"
    copy_toy("vectors", tmp_path, module)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)

    def write(name: str = "run", space: str = "Vectors", failing: float = 0.0, **changes: Any) -> Path:
        axes = [{"metric": metric, "low": 0, "high": 100, "bins": 10} for metric in ("x", "y")]
        data: dict[str, Any] = {
            "space": {"kind": f"{module}:{space}"},
            "evaluator": {"kind": f"{module}:Sums", "failing": failing},
            "archive": {"objective": "score", "measures": axes},
            "emitters": [{"kind": "map_elites", "initial": 100}],
            "search": {"seed": 3, "chunk": 50},
            "log": {"keep": "accepted", "every": 4},
            "budget": {"evaluations": 2000},
        }
        for key, value in changes.items():
            data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(data))
        return file

    yield write
    sys.path[:] = path
    sys.modules.pop(module, None)


@pytest.fixture
def library(tmp_path: Path) -> Any:
    """A library of three (untrained) networks for the digits: two of four modules each, and one in one piece."""
    import torch
    from sklearn.datasets import load_digits

    from search_spaces.library import Interface, Library, TrainedModule, build_architecture
    from search_spaces.library.input_statistics import InputStatistics
    from search_spaces.library.layers import build_layers, convolution, dense, head

    pixels = np.asarray(load_digits(return_X_y=True)[0], np.float32)
    digits = torch.from_numpy(pixels[:200].reshape(-1, 1, 8, 8))
    digits = (digits - digits.mean()) / digits.std()
    (tmp_path / "library").mkdir()
    made = Library.open(tmp_path / "library", empty=True)
    levels: list[Any] = ["image", "features", "features", "vector", "scores"]
    for task, channels in (("digits", 4), ("noisy digits", 6)):
        torch.manual_seed(channels)
        chains = [convolution(1, channels, pool=True), convolution(channels, channels, pool=True)]
        chains += [dense(channels * 4, 16), head(16, 10)]
        values = digits
        for index, (part, layers) in enumerate(zip(("conv1", "conv2", "dense", "head"), chains, strict=True)):
            module = build_layers(layers)
            inputs, values = values, module(values).detach()
            takes = Interface(levels[index], tuple(inputs.shape[1:]))
            gives = Interface(levels[index + 1], tuple(values.shape[1:]))
            chain = {"kind": "layers", "layers": layers}
            statistics = InputStatistics.of(inputs)
            made.add([TrainedModule(part, chain, module, takes, gives, statistics, task, 0.9, f"a test, {part}")])
    genotype = {"width": 16, "activation": "relu", "layers": [{"kind": "dense", "hidden": 8, "residual": True}]}
    whole = {
        "kind": "body",
        "space": {"kind": "sparse_moe"},
        "genotype": genotype,
        "task": {"input_shape": [1, 8, 8], "outputs": 10, "loss": "cross_entropy"},
    }
    takes, gives = Interface("image", (1, 8, 8)), Interface("vector", (16,))
    made.add([TrainedModule("body", whole, build_architecture(whole), takes, gives, None, "digits", 0.8, "a test")])
    return made
