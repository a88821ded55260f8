"""What the campaign works on: plug-ins and run files, and what undisturbed commands make of them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from children import command

from qd.errors import QdError
from qd.testing.toys import copy_toy

AXES = [{"metric": name, "low": 0, "high": 30, "bins": 10} for name in ("width", "height")]
TABLE: dict[str, Any] = {
    "space": {"kind": "table:Space", "side": 25},
    "evaluator": {"kind": "table:Trained", "failing": 0.1, "milliseconds": 1},
    "archive": {"objective": "score", "measures": AXES},
    "emitters": [{"kind": "map_elites", "initial": 20}, {"kind": "random", "weight": 0.2}],
    "search": {"seed": 3, "order": "id", "chunk": 4, "window": 16},
    "budget": {"evaluations": 120},
}
VECTORS: dict[str, Any] = {
    "space": {"kind": "vectors:Vectors"},
    "evaluator": {"kind": "vectors:Sums", "failing": 0.1},
    "archive": {
        "objective": "score",
        "measures": [{"metric": name, "low": 0, "high": 100, "bins": 10} for name in ("x", "y")],
    },
    "emitters": [{"kind": "map_elites", "initial": 100}],
    "search": {"seed": 3, "order": "id", "chunk": 50, "window": 200},
    "log": "accepted",
    "budget": {"evaluations": 3000},
}
NETWORKS: dict[str, Any] = {
    "space": {"kind": "networks:Perceptrons"},
    "evaluator": {"kind": "supervised", "data": {"kind": "digits", "split": {"train": 120}}, "training": {"epochs": 1}},
    "archive": {
        "objective": "val_accuracy",
        "measures": [{"metric": "parameters", "low": 0, "high": 700, "bins": 8}],
    },
    "emitters": [{"kind": "map_elites", "initial": 6}],
    "search": {"seed": 5, "order": "id", "chunk": 4, "window": 4},
    "budget": {"evaluations": 12},
}
STREAM: dict[str, Any] = {
    "space": {"kind": "module_library", "channels": [4], "hidden": [8, 16]},
    "evaluator": {
        "kind": "task_stream",
        "tasks": [{"data": "digits"}, {"data": "digits", "inverted": True}],
        "train_examples": 60,
        "validation_examples": 40,
        "test_examples": 100,
        "training": {"epochs": 1},
    },
    "archive": {
        "objective": "val_accuracy",
        "measures": [
            {"metric": "trained_parameters", "low": 1, "high": 100000, "bins": 4, "scale": "log"},
            {"metric": "reuse", "low": 0, "high": 1, "bins": 2},
        ],
        "outside": "clip",
    },
    "emitters": [{"kind": "map_elites", "initial": 4}],
    "search": {"order": "id", "chunk": 2, "window": 2},
    "budget": {"evaluations": 4},
}
RUN_FILES: Mapping[str, Mapping[str, Any]] = {
    "table": TABLE,
    "reevaluated": {**TABLE, "search": {**TABLE["search"], "noise": "reevaluate"}},
    "cluster": {**TABLE, "executor": {"kind": "ray", "workers": 2}},
    "small": {**TABLE, "evaluator": {"kind": "table:Trained"}, "budget": {"evaluations": 24}},
    "vectors": VECTORS,
    "networks": NETWORKS,
    "stream": STREAM,
}
"""By name; each stands beside the plug-ins as NAME.yaml."""
TIMES = {"results": {"_seconds", "_attempt", "train_seconds"}, "tells": {"seconds"}, "evaluations": {"session"}}
"""Columns of a log that say when and in which session something happened."""
OF_SESSIONS = ("sessions", "meta", "state")


class Bench:
    """A folder with run files, plug-ins, and finished runs, exports and a library made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.finished = self.folder / "finished"
        self.export = self.finished / "export"
        self.library = self.finished / "library"

    def file(self, name: str) -> Path:
        """The run file of this name."""
        return self.folder / f"{name}.yaml"

    def prepare(self) -> None:
        """Fill the folder.

        Raises:
            QdError: an undisturbed command failed.
        """
        self.finished.mkdir(parents=True)
        for toy in ("table", "vectors", "networks"):
            copy_toy(toy, self.folder)
        for name, data in RUN_FILES.items():
            self.file(name).write_text(yaml.safe_dump(data))
        for name in ("table", "vectors", "networks"):
            self.do("run", self.file(name), "--out", self.finished / name)
        self.do("run", self.file("stream"), "--out", self.finished / "modules")
        self.do("export", self.finished / "networks", "--best", "--to", self.export)
        self.do("library", "build", self.finished / "modules", "--to", self.library)

    def do(self, *words: Any) -> None:
        """Run a command that must succeed."""
        outcome = command([str(word) for word in words], self.folder)
        if outcome.status != 0:
            raise QdError(f"an undisturbed command failed:\n{outcome}")


def tables_of(log: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a log, without times and sessions."""
    with closing(sqlite3.connect(log)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row["name"] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {}
        for name in names:
            if name not in OF_SESSIONS:
                rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
                found[name] = [tuple(row[k] for k in row.keys() if k not in TIMES.get(name, ())) for row in rows]  # noqa: SIM118
        return found


def files_of(folder: Path) -> dict[str, str]:
    """{path: SHA-256} of every file in a folder; a file's own digest where it is one."""
    if folder.is_file():
        return {folder.name: hashlib.sha256(folder.read_bytes()).hexdigest()}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
