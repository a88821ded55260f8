"""Finished runs that exports start from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import qd

DIGITS = {
    "space": {"kind": "sparse_moe"},
    "evaluator": {"kind": "supervised", "data": {"kind": "digits", "split": {"train": 400}}, "training": {"epochs": 2}},
    "archive": {
        "objective": "val_accuracy",
        "measures": [{"metric": "parameters", "low": 100, "high": 100_000, "bins": 6, "scale": "log"}],
    },
    "search": {"order": "id", "seed": 1, "chunk": 4},
    "budget": {"evaluations": 8},
}


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of trained networks, two elites of which are verified; tests copy it to change it."""
    from qd.runs.verify import verify

    folder = tmp_path_factory.mktemp("digits")
    (folder / "digits.yaml").write_text(yaml.safe_dump(DIGITS))
    run = qd.run(folder / "digits.yaml", out=folder / "run")
    verify(run.folder.path, top=2, seeds=2)
    return run.folder.path
