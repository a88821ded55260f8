"""Exports that were changed by hand or by accident: refused in a few words, before memory is filled or code runs."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import qd
from qd.errors import QdError, UsageError
from qd.exporting.architecture import FILE, Architecture
from qd.exporting.load import WEIGHTS
from qd.registry import Registry
from tests.mutations import DEEP, mutate

RUN_FILE = """\
space: {{kind: {kind}}}
evaluator: {{kind: supervised, data: digits, training: {{epochs: 1}}}}
archive: {{objective: val_accuracy, measures: [{{metric: parameters, low: 1, high: 1e6}}]}}
budget: {{evaluations: 4}}
"""


@pytest.fixture(params=["sparse_moe", "grouped_mlp", "conv_blocks", "module_library"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def exported(kind: str, tmp_path: Path) -> Path:
    """An untrained network, as an export has it; and a run file of the same space beside it."""
    space = Registry().build("spaces", kind, {}, "space")
    architecture = Architecture(
        space={"kind": kind},
        genotype=space.genes.sample(np.random.default_rng(1)),
        task={"input_shape": [1, 8, 8], "outputs": 10, "loss": "cross_entropy"},
        evaluator={"kind": "supervised", "data": "digits", "training": {"epochs": 1}},
        readable="a network",
        run="a run",
        candidate=3,
        seed=5,
        shared_seed=6,
    )
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / FILE).write_text(json.dumps(asdict(architecture)))
    save_file(architecture.build(space, "here").state_dict(), folder / WEIGHTS)
    (tmp_path / "run.yaml").write_text(RUN_FILE.format(kind=kind))
    return folder


def change(folder: Path, **changes: Any) -> None:
    data = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps({**data, **changes}))


def test_mutated_architectures_are_refused_or_read(exported: Path, tmp_path: Path) -> None:
    rng = random.Random(7)
    data = json.loads((exported / FILE).read_text())
    refused = 0
    for _ in range(40):
        changed = copy.deepcopy(data)
        mutate(changed, rng)
        (exported / FILE).write_text(json.dumps(changed))
        (tmp_path / "run.yaml").write_text(RUN_FILE.format(kind=data["space"]["kind"]))
        for act in (lambda: qd.load(exported), lambda: qd.import_into(tmp_path / "run.yaml", [exported])):
            try:
                act()
            except QdError as error:
                assert len(str(error)) < 1000
                refused += 1
    assert refused > 40


@pytest.mark.parametrize("kind", ["sparse_moe"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 5.0}, r"seed: input should be a valid integer, got 5\.0"),
        ({"seed": -1}, r"seed: input should be greater than or equal to 0, got -1"),
        ({"space": "sparse_moe"}, r"space: .*, got 'sparse_moe'"),
        ({"space": {}}, r"space\.kind: this key is missing"),
        ({"task": {"input_shape": [1, 8, 8], "outputs": 10}}, r"task: expected input_shape .* and a loss, got"),
        ({"task": {"input_shape": [10**6, 10**6], "outputs": 1, "loss": "mean_squared_error"}}, r"at most 67,108,864"),
        (
            {"task": {"input_shape": [1, 8.5], "outputs": 1, "loss": "cross_entropy"}},
            r"task: series: expected a whole number .* 8\.5",
        ),
        ({"genotype": DEEP}, r"nested deeper than 64 levels"),
        ({"candidate": 10**400}, r"a whole number beyond 1\.8e308"),
        ({"format": [1] * 1000}, r"written in format \[1, 1, .*…, this qd reads format 1"),
    ],
)
def test_what_is_wrong_in_an_architecture_is_named(exported: Path, changes: dict[str, Any], message: str) -> None:
    change(exported, **changes)
    for act in (qd.load, lambda folder: qd.train(folder, folder.parent / "trained")):
        with pytest.raises(UsageError, match=message):
            act(exported)
    assert not (exported.parent / "trained.training").exists()


@pytest.mark.parametrize("kind", ["module_library"], indirect=True)
def test_another_task_than_that_of_its_evaluator_is_refused(exported: Path, tmp_path: Path) -> None:
    change(exported, task={"input_shape": [1, 8, 9], "outputs": 10, "loss": "cross_entropy"})
    for act in (lambda: qd.train(exported, tmp_path / "to"), lambda: qd.library.build([exported], tmp_path / "to")):
        with pytest.raises(UsageError, match=r"task: the architecture is for .*width=9.*evaluator .* has .*width=8"):
            act()
    assert not list(tmp_path.glob("to*"))


def test_a_network_that_this_machine_cannot_hold_is_not_built(exported: Path) -> None:
    genotype = {name: {"kind": "new"} for name in ("conv1", "conv2", "dense", "head")}
    genotype |= {
        name: {"kind": "new", "size": size} for name, size in (("conv1", 10**6), ("conv2", 10**6), ("dense", 1))
    }
    space = {"kind": "module_library", "channels": [10**6], "hidden": [1]}
    change(exported, space=space, genotype=genotype)
    with pytest.raises(QdError, match=r"its network would need 33,5\d\d GB, and this machine has"):
        qd.load(exported)


@pytest.mark.parametrize("kind", ["sparse_moe"], indirect=True)
def test_weights_of_something_else_are_refused(exported: Path) -> None:
    path = exported / WEIGHTS
    good = load_file(path)
    name, tensor = next(iter(good.items()))
    shape = "×".join(map(str, tensor.shape))
    for tensors, message in (
        ({**good, name: tensor.to(torch.int32)}, f"{name}: expected {shape} real numbers, got {shape} other numbers"),
        ({**good, name: tensor[:1]}, f"{name}: expected {shape} real numbers, got 1 real numbers"),
        ({**good, "more": tensor.clone()}, f"more: expected no such tensor, got {shape} real numbers"),
        ({}, r"expected .* real numbers, got none, and \d+ more do not fit"),
        ({**good, name: tensor * torch.inf}, f"{name} has values that are not finite"),
    ):
        save_file(tensors, path)
        with pytest.raises(QdError, match=message) as refusal:
            qd.load(exported)
        assert len(str(refusal.value)) < 1000
    content = path.read_bytes()
    for size in (0, 2**40, 2**63):
        path.write_bytes(size.to_bytes(8, "little") + content[8:])
        with pytest.raises(QdError, match="expected a safetensors file, but it is missing or damaged"):
            qd.load(exported)
