"""A metric may have the name of any column of any table of the log, but of those that stand beside it in a frame."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import qd
from qd.dashboard.results import Results
from qd.errors import UsageError
from qd.runs.problem import RESERVED
from qd.store.schema import statements

IN_THE_LOG = {name for sql in statements([]) for name in re.findall(r"^ {4}([a-z_]+) ", sql, re.MULTILINE)}
IN_PYTHON = {"index", "level_0", "columns", "values", "count", "size", "order", "select", "join", "self", "name"}
NAMES = sorted(name for name in IN_THE_LOG | IN_PYTHON if name not in RESERVED and not name.startswith("_"))

PLUGIN = f"""
import numpy as np
from evaluators import Metric, SingleEvaluator
from search_spaces import Integer, SearchSpace, Struct

class Space(SearchSpace):
    genes = Struct(x=Integer(0, 29), y=Integer(0, 29))

class Named(SingleEvaluator):
    metrics = {{name: Metric("", 0, 60) for name in {NAMES}}}

    def evaluate_one(self, genotype, seed):
        return {{name: float(genotype["x"] + genotype["y"] * (place % 3)) for place, name in enumerate(self.metrics)}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named_metrics.py").write_text(PLUGIN)
    yield tmp_path
    sys.modules.pop("named_metrics", None)


def write(folder: Path, **changes: object) -> Path:
    data = {
        "space": {"kind": "named_metrics:Space"},
        "evaluator": {"kind": "named_metrics:Named"},
        "archive": {
            "objective": "batch",
            "measures": [{"metric": name, "low": 0, "high": 60, "bins": 6} for name in ("key", "twin")],
        },
        "emitters": [{"kind": "map_elites", "initial": 16}, {"kind": "guided", "initial": 16, "pool": 32}],
        "search": {"seed": 1, "order": "id", "chunk": 8},
        "budget": {"evaluations": 64},
        **changes,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_every_command_takes_every_name(folder, qd_command):
    assert {"batch", "key", "twin", "candidate", "mean", "metric", "value", "displaced", "session"} <= set(NAMES)
    qd.run(write(folder), out="run").close()
    qd.resume("run", budget={"evaluations": 72}).close()
    for words in (
        "show run --json", "elites run --csv", "plot curves run --out x.svg", "plot parallel_axes run --out x.svg",
        "plot operators run --out x.svg", "plot lineage run --id 40 --out x.svg", "report run",
        "importance run --metric key --json", "compare run run --json", "verify run --top 2 --seeds 2 --json",
        "plot heatmap run --measures value,name --objective mean --out x.svg",
    ):  # fmt: skip
        answer = qd_command(*words.split())
        assert answer.status == 0, f"{words}: {answer.err}"
    condition = " AND ".join(f'"{name}" >= 0' for name in NAMES)
    found = json.loads(qd_command("elites", "run", "--json", "--where", condition, "--sort", "twin").out)
    assert found
    assert all(list(row["metrics"]) == NAMES for row in found)
    assert [row["metrics"]["twin"] for row in found] == sorted((row["metrics"]["twin"] for row in found), reverse=True)
    [row] = Results(folder).rows()
    assert row.problem == ""


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_stands_beside_metrics_is_refused_before_anything_is_made(folder, name):
    with (folder / "named_metrics.py").open("a") as file:
        file.write(f"\nNamed.metrics['{name}'] = Metric()\n")
    with pytest.raises(UsageError, match=f"metric name '{name}' is taken by a column of the log; choose another"):
        qd.run(write(folder), out="run")
    assert not Path("run").exists()
