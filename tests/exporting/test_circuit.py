"""Networks are made again from their circuits alone, and the drawing shows what is in one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qd
from qd.errors import QdError
from qd.exporting.circuit import Rebuilt, circuit, rebuild, to_text
from qd.exporting.circuit.axes import Axes
from qd.plots.circuit_drawing import drawing
from qd.registry import Registry
from qd.training import build_seeded
from qd.training.inputs import draw_inputs
from search_spaces import Task
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Values, Vector

CASES: dict[str, tuple[dict[str, Any], Task]] = {
    "vector": ({"kind": "chain", "port": "vector", "width": (8,), "depth": (2, 2)}, Task(Vector(5), Values(2))),
    "tokens": ({"kind": "chain", "width": (8,), "depth": (2, 2), "exits": True}, Task(Tokens(6, 7), NextToken(7))),
    "image": ({"kind": "chain", "port": "image", "width": (8,), "depth": (2, 2)}, Task(Image(3, 8, 8), Classes(3))),
    "routed": (
        {"kind": "routed", "modules": ["dense"], "width": (8,), "steps": (2, 2), "pool": (1, 1), "fixed": (1, 1)},
        Task(Tokens(6, 7), NextToken(7)),
    ),
    "sparse_moe": ({"kind": "sparse_moe"}, Task(Series(6, 2), Classes(3))),
    "grouped_mlp": ({"kind": "grouped_mlp"}, Task(Vector(5), Classes(3))),
    "conv_blocks": ({"kind": "conv_blocks"}, Task(Image(1, 8, 8), Classes(3))),
    "module_library": ({"kind": "module_library"}, Task(Image(1, 14, 14), Classes(3))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_network_is_made_again_from_its_circuit(case: str) -> None:
    """It has as many parameters, the same shapes for batches of two sizes, and with the weights the same outputs."""
    space, task = CASES[case]
    built = Registry().build("spaces", space["kind"], {key: space[key] for key in space if key != "kind"}, "space")
    genotype = built.genes.sample(np.random.default_rng(2))
    network = build_seeded(lambda: built.build(genotype, task), 0).eval()
    data = json.loads(to_text(circuit(network, draw_inputs(task, 2))))
    again = rebuild(data, network.state_dict())
    assert [one.numel() for one in again.parameters()] == [one.numel() for one in network.parameters()]
    for batch in (1, 5):
        inputs = draw_inputs(task, batch)
        torch.testing.assert_close(again(inputs), network(inputs), rtol=1e-6, atol=1e-6)
    known = {"1", *data["axes"]}
    for one in data["operations"]:
        named = one["axes"] if one["axes"] and isinstance(one["axes"][0], list) else [one["axes"]]
        assert {*one["over"], *(axis for axes in named for axis in axes)} <= known
    assert f">{data['output']} = " in drawing(data, case)


class Shared(nn.Module):
    """One matrix twice, on steps and then on what came of them, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4, bias=False)
        self.second = nn.Linear(4, 4, bias=False)
        self.second.weight = self.first.weight
        self.scale: Tensor
        self.register_buffer("scale", torch.tensor([1.0, 2.0, float("inf"), 4.0]), persistent=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        both = self.second(self.first(x_BTC).relu()) + x_BTC
        return (both.unflatten(-1, (2, 2)).transpose(1, 2).flatten(2) @ x_BTC.new_ones(6, 1)).mean(1) / self.scale[:1]


@pytest.fixture
def shared() -> dict[str, Any]:
    return json.loads(to_text(circuit(Shared().eval(), torch.zeros(2, 3, 4), ("T", "C"))))


def test_axes_are_named_and_joined(shared: dict[str, Any]) -> None:
    made = {one["name"]: one for one in shared["operations"]}
    assert shared["axes"] | {"T": 3, "C": 4, "B": "B"} == shared["axes"]
    assert made["linear"]["over"] == ["C"] and made["linear_1"]["axes"] == ["B", "T", "C"], "a sum joins its sides"
    assert made["transpose"]["axes"][:1] == ["B"] and made["transpose"]["axes"][2] == "T"
    assert made["mean"]["over"] == [made["transpose"]["axes"][1]]
    assert shared["parameters"]["second.weight"]["same_as"] == "first.weight"
    assert shared["constants"]["scale"]["values"][2] == {"number": "inf"}


def test_shared_weights_stay_shared(shared: dict[str, Any]) -> None:
    network = Shared().eval()
    again = rebuild(shared, network.state_dict())
    assert sum(one.numel() for one in again.parameters()) == 16
    torch.testing.assert_close(again(torch.ones(5, 3, 4)), network(torch.ones(5, 3, 4)))
    drawn = drawing(shared, "shared")
    assert "first.weight*" in drawn or "weight* [" in drawn
    assert "16 parameters" in drawn


class Block(nn.Module):
    """Four lines."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x).relu()).tanh()


class Tower(nn.Module):
    """Two blocks, and the second again."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.blocks
        return second(second(first(x)))


def test_what_does_the_same_as_a_module_above_is_drawn_as_a_line() -> None:
    data = circuit(Tower().eval(), torch.zeros(2, 4))
    assert list(
        dict.fromkeys(one["module"].rpartition(".inner")[0] or one["module"] for one in data["operations"])
    ) == [
        "blocks.0",
        "blocks.1",
        "blocks.1@1",
    ]
    drawn = drawing(data, "tower")
    assert ">tanh_1 = as in blocks.0, with weights of its own, of tanh<" in drawn
    assert ">blocks.1, call 2, Block<" in drawn and ">tanh_2 = as in blocks.0, with weights of" in drawn
    assert ">relu = relu(linear)<" in drawn and "relu_1 = " not in drawn


def test_an_axis_that_is_split_comes_back() -> None:
    axes = Axes()
    batch, width = axes.new(10), axes.new(6)
    heads, units = axes.split(width, [2, 3])
    assert axes.reshaped([batch, width], [10, 2, 3]) == [batch, heads, units]
    assert axes.reshaped([batch, heads, units], [10, 6]) == [batch, width]
    assert axes.reshaped([batch, heads, units], [10, 1, 2, 3])[2:] == [heads, units]
    both = axes.reshaped([batch, width], [60])
    assert axes.names({batch: "B", width: "F"}, both, [])[both[0]] == "B·F"


@pytest.mark.parametrize(
    "name", ["aten.from_file.default", "aten.add_.Tensor", "os.system.default", "aten.nothing.default", "eval"]
)
def test_only_operations_that_compute_are_called(shared: dict[str, Any], name: str) -> None:
    shared["operations"][0]["operation"] = name
    with pytest.raises(QdError, match=f"names the operation '{re.escape(name)}'"):
        Rebuilt(shared)


def test_an_export_with_its_circuit_is_compared(networks: Path, tmp_path: Path) -> None:
    qd.export(networks, tmp_path / "net", best=True, formats="circuit")
    files = {path.name for path in (tmp_path / "net").iterdir()}
    assert {"circuit.json", "circuit.svg", "weights.safetensors", "load.py"} <= files and "model.onnx" not in files
    assert json.loads((tmp_path / "net/metrics.json").read_text())["parity"]["differences"]["circuit"] < 1e-4
    assert "circuit.svg" in (tmp_path / "net/README.md").read_text()
    assert json.loads((tmp_path / "net/circuit.json").read_text())["input"]["axes"] == ["B", "C", "H", "V"]
