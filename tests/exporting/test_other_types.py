"""Networks that are not built in single precision: they are searched, measured and taken home in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import qd
from evaluators.task_data import Examples, TaskData
from qd.precision import single_precision
from qd.training import build_seeded

SPACE = """
import torch
from torch import nn
from search_spaces import Integer, SearchSpace, Struct

class Space(SearchSpace):
    genes = Struct(width=Integer(4, 64))

    def __init__(self, how: str):
        self.how = how
        if how == "default":
            torch.set_default_dtype(torch.float64)

    def build(self, genotype, task):
        network = nn.Sequential(
            nn.Flatten(), nn.Linear(64, genotype["width"]), nn.ReLU(), nn.Linear(genotype["width"], task.outputs)
        )
        if self.how == "default in build":
            torch.set_default_dtype(torch.float64)
        elif self.how == "first layer":
            network[1].half()
        elif self.how != "default":
            network.to(getattr(torch, self.how))
        return network
"""
HOWS = ("float64", "bfloat16", "float16", "default", "default in build", "first layer")


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> qd.Run:
    (tmp_path / "other_types.py").write_text(SPACE)
    data: dict[str, Any] = {
        "space": {"kind": "other_types:Space", "how": request.param},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "digits", "split": {"train": 100, "validation": 50}},
            "training": {"epochs": 1},
        },
        "metrics": [{"kind": "latency", "device": "cpu", "repeats": 1, "warm_up": 0}],
        "archive": {
            "objective": "val_accuracy",
            "measures": [{"metric": "parameters", "low": 0, "high": 6000, "bins": 4}],
        },
        "search": {"chunk": 2},
        "budget": {"evaluations": 4},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(data))
    return qd.run(tmp_path / "run.yaml", out=tmp_path / "run")


@pytest.mark.parametrize("run", HOWS, indirect=True)
def test_networks_of_another_type_go_all_the_way(run: qd.Run, tmp_path: Path) -> None:
    assert torch.get_default_dtype() == torch.float32, "what a plug-in sets is gone"
    assert run.evaluations()["status"].tolist() == ["ok"] * 4
    in_full = run.config.space.arguments["how"] == "default"
    formats = "safetensors,onnx,torch" if in_full else "safetensors"
    best = int(run.elites()["id"].tolist()[0])
    assert qd.verify(run.folder.path, top=1, seeds=1).records()[0]["failed"] == 0
    qd.export(run.folder.path, best=True, to=tmp_path / "export", formats=formats)
    loaded = qd.load(tmp_path / "export", plugins=tmp_path)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    qd.train(run.folder.path, id=best, to=tmp_path / "trained", epochs=1, formats="safetensors")
    if in_full:
        qd.report(run.folder.path, out=tmp_path / "report.html")


def test_complex_parameters_stay_complex() -> None:
    def build() -> torch.nn.Module:
        module = torch.nn.Module()
        module.register_parameter("phase", torch.nn.Parameter(torch.ones(2, dtype=torch.complex64)))
        module.register_parameter("scale", torch.nn.Parameter(torch.ones(2, dtype=torch.float64)))
        return module

    types = {name: tensor.dtype for name, tensor in build_seeded(build, 0).state_dict().items()}
    assert types == {"phase": torch.complex64, "scale": torch.float32}


def test_examples_of_another_type_become_float32_and_whole_numbers_stay() -> None:
    part = Examples(np.ones((2, 3)), np.zeros(2, dtype=np.int64))
    inputs, targets = TaskData("ones", lambda _: part, lambda outputs, targets: {}).examples("train")
    assert (inputs.dtype, targets.dtype) == (np.float32, np.int64)


def test_what_somebody_set_before_holds_outside_alone() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with single_precision():
            assert torch.ones(1).dtype == torch.float32
            torch.set_default_dtype(torch.float16)
        assert torch.ones(1).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
