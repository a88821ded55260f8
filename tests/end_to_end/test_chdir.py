"""A plug-in that changes the working directory, as scripts do that read their data from where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

import qd
from qd.runs.verify import verify

MOVING = {
    "import": ("import time\n", "import os, time\nos.chdir('/')\n"),
    "construction": (
        "        self.failing, self",
        "        import os; os.chdir('/')\n        self.failing, self",
    ),
    "evaluation": ("        luck = seed", "        import os; os.chdir('/')\n        luck = seed"),
}


@pytest.fixture(params=MOVING)
def moving(workbench, request):
    old, new = MOVING[request.param]
    text = workbench.plugin.read_text()
    assert old in text
    workbench.plugin.write_text(text.replace(old, new, 1))
    return workbench


def test_the_run_stays_where_it_was_wanted(moving):
    moving.write(evaluator={"kind": f"{moving.module}:Trained"})
    for out in ("a/run", None):
        run = qd.run("run.yaml", out=out, plugins=".", budget={"evaluations": 20})
        assert Path.cwd() == moving.folder
        assert run.folder.path == Path(out or "results/run-001")
        assert run.with_weights()
        assert len(list(run.folder.weights.iterdir())) == len(run.archive)
        moving.forget()
        assert qd.resume(run.folder.path, budget={"evaluations": 40}).count == 40
        moving.forget()
        assert len(verify(run.folder.path, top=2, seeds=1).elites) == 2
        moving.forget()
    made = {path.name for path in Path().iterdir()} - {"__pycache__"}
    assert made == {"a", "results", "run.yaml", moving.plugin.name}


def test_the_command_says_where_it_is(moving, qd_command):
    answer = qd_command("run", moving.write(budget={"evaluations": 20}), "--out", "run")
    assert answer.status == 0
    assert "map: run/pictures/map.png\n" in answer.err
    assert "next: qd elites run --limit 10" in answer.err
    assert Path("run/pictures/map.png").exists()
