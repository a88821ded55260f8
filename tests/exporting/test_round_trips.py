"""Every space and every format: there and back, also where none of our packages is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch

from evaluators.preprocessing import Standardise
from evaluators.retina import patterns
from evaluators.task_data import Examples, TaskData
from qd.exporting import load
from qd.exporting.architecture import Architecture
from qd.exporting.folder import Export
from qd.exporting.formats import FORMATS, OPSET, as_function
from qd.registry import Registry, names
from search_spaces import Genotype, Metric, SearchSpace, Task
from search_spaces.task import Classes, Image, Values, Vector

IMAGES = Task(Image(1, 8, 8), Classes(10))
TASKS = {"retina": Task(Vector(8), Values(1))}
SMALL: dict[str, dict[str, Any]] = {
    "chain": {"modules": ["attention", "dense"], "width": [16], "depth": [2, 2]},
    "routed": {"modules": ["attention", "dense"], "width": [16], "steps": [2, 2], "pool": [2, 2], "fixed": [1, 1]},
}
"""Arguments of spaces whose modules have tests of their own."""
MERGED: Genotype = {
    "group_size": 4,
    "groups": 2,
    "blocks": [{"groups": 3, "attention": True, "mergeable": True, "pool": False}],
}
MIXTURES: Genotype = {
    "width": 8,
    "activation": "silu",
    "layers": [
        {"kind": "moe", "experts": [8, 9, 12], "top_k": 2, "residual": True},
        {"kind": "dense", "hidden": 10, "residual": False},
        {"kind": "moe", "experts": [8, 64], "top_k": 1, "residual": False},
    ],
}


def spaces() -> dict[str, SearchSpace]:
    """Every space that can be named in a run file and builds networks."""
    made = {name: Registry().build("spaces", name, SMALL.get(name, {}), "space") for name in names("spaces")}
    return {name: space for name, space in made.items() if type(space).build is not SearchSpace.build}


class Exported(NamedTuple):
    """A folder, what goes in, and what the network in memory makes of it."""

    folder: Path
    raw: np.ndarray
    outputs: np.ndarray


def data_of(task: Task, rng: np.random.Generator) -> TaskData:
    """Random images with a preprocessing, or the patterns of the retina problem as they are."""
    if task.loss == "mean_squared_error":
        return TaskData(
            "patterns", lambda part: patterns(), lambda outputs, targets: {"accuracy": float((outputs > 0).mean())}
        )
    how = Standardise(rng.uniform(0, 16, task.input_shape).astype(np.float32), np.array(5.3))
    raw = rng.integers(0, 17, (300, *task.input_shape), dtype=np.uint8)
    labels = rng.integers(0, task.outputs, 300)
    return TaskData(
        "noise",
        lambda part: Examples(how.apply(raw), labels),
        lambda outputs, targets: {"val_accuracy": float((outputs.argmax(1) == targets).mean())},
        preprocessing=how,
        class_names=tuple("abcdefghij"),
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Exported]:
    """{space: an export of one of its networks in all formats}."""
    rng = np.random.default_rng(0)
    found = {}
    for name, space in spaces().items():
        task = TASKS.get(name, IMAGES)
        genotype = {"sparse_moe": MIXTURES, "conv_blocks": MERGED}.get(name) or space.genes.sample(rng)
        data = data_of(task, rng)
        architecture = Architecture(
            {"kind": name, **SMALL.get(name, {})},
            genotype,
            task.plain(),
            {"kind": "none"},
            space.genes.readable(genotype),
            "run",
            7,
            3,
            4,
        )
        network = architecture.build(space, "test").eval()
        folder = tmp_path_factory.mktemp(name)
        metric = next(iter(data.score(np.zeros((1, task.outputs)), data.examples("validation").targets[:1])))
        one = Export(architecture, {metric: 0.5}, {metric: Metric("", 0, 1)}, network, data=data)
        one.deployed = space.deployed(network)
        one.graph = space.module_graph(genotype)
        one.write(folder, list(FORMATS))
        inputs = data.examples("validation").inputs[:256]
        raw = inputs
        if isinstance(data.preprocessing, Standardise):
            raw = np.round(inputs * np.float32(data.preprocessing.scale) + data.preprocessing.mean).astype(np.uint8)
        found[name] = Exported(folder, raw, as_function(network)(inputs))
    return found


def test_every_space_there_is_was_exported(exported):
    assert exported.keys() >= {"sparse_moe", "grouped_mlp", "conv_blocks", "retina"}
    for one in exported.values():
        files = {path.name for path in one.folder.iterdir()}
        assert files >= {"architecture.json", "weights.safetensors", "model.onnx", "model.pt2", "metrics.json"}
        assert files >= {"README.md", "load.py", "preprocessing.json", "labels.json"}


def test_the_space_builds_it_again(exported):
    for one in exported.values():
        raw = one.raw
        how = json.loads((one.folder / "preprocessing.json").read_text())
        inputs = raw if how["kind"] == "as_it_is" else (raw - np.float32(how["mean"])) / np.float32(how["scale"])
        np.testing.assert_allclose(as_function(load(one.folder))(inputs), one.outputs, atol=1e-5)


def test_what_is_for_use_alone_is_merged_and_what_can_be_trained_further_is_not(exported):
    folder = exported["conv_blocks"].folder
    network = load(folder)
    measured = spaces()["conv_blocks"].measure(MERGED, network, torch.empty(0))
    program = torch.export.load(folder / "model.pt2")
    assert sum(tensor.numel() for tensor in program.state_dict.values()) == measured["deployed_parameters"]
    assert measured["deployed_parameters"] < sum(tensor.numel() for tensor in network.parameters())
    stored = sum(int(np.prod(tensor.dims)) for tensor in onnx.load(folder / "model.onnx").graph.initializer)
    assert stored == pytest.approx(measured["deployed_parameters"], abs=32)  # sizes and axes are stored, too


def test_onnx_has_the_opset_that_is_written_down_and_a_dynamic_batch(exported):
    for one in exported.values():
        model = onnx.load(one.folder / "model.onnx")
        onnx.checker.check_model(model)
        written = json.loads((one.folder / "architecture.json").read_text())["formats"]["onnx"]
        assert [entry.version for entry in model.opset_import if entry.domain == ""] == [written["opset"]] == [OPSET]
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
        assert f"opset {OPSET}" in (one.folder / "README.md").read_text()


def test_no_file_names_a_folder_of_this_machine(exported):
    ours = str(Path(__file__).parents[2]).encode()
    for one in exported.values():
        for path in one.folder.iterdir():
            assert ours not in path.read_bytes(), path


ONNXRUNTIME = """
import importlib.util, json, sys
import numpy as np

for name in ("torch", "qd", "search_spaces", "evaluators", "safetensors", "onnx"):
    assert importlib.util.find_spec(name) is None, name
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    sys.modules.pop("load", None)
    import load
    network, cases = load.with_onnxruntime(), np.load(folder + "/cases.npz")
    sys.path.pop(0)
    outputs = network(cases["raw"])
    assert network(cases["raw"][:1]).shape == outputs[:1].shape
    print(np.abs(outputs - cases["outputs"]).max())
"""
TORCH = """
import importlib.util, sys, warnings
warnings.simplefilter("ignore")  # torch says that numpy is missing
import torch

for name in ("numpy", "onnxruntime", "qd", "search_spaces", "evaluators", "safetensors"):
    assert importlib.util.find_spec(name) is None, name
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    sys.modules.pop("load", None)
    import load
    network, cases = load.with_torch(), torch.load(folder + "/cases.pt", weights_only=True)
    sys.path.pop(0)
    outputs = network(cases["raw"])
    assert network(cases["raw"][:1]).shape == outputs[:1].shape
    print((outputs - cases["outputs"]).abs().max().item())
"""


def environments():
    """The helper beside this file: tests are no package."""
    spec = importlib.util.spec_from_file_location("environments", Path(__file__).with_name("environments.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("packages", "program"), [(("onnxruntime", "numpy"), ONNXRUNTIME), (("torch",), TORCH)])
def test_it_runs_where_nothing_of_ours_is_installed(exported, tmp_path, packages, program):
    python = environments().make_environment(tmp_path / "environment", *packages)
    for one in exported.values():
        np.savez(one.folder / "cases.npz", raw=one.raw, outputs=one.outputs)
        torch.save(
            {"raw": torch.from_numpy(one.raw), "outputs": torch.from_numpy(one.outputs)}, one.folder / "cases.pt"
        )
    folders = [str(one.folder) for one in exported.values()]
    done = subprocess.run(
        [python, "-I", "-c", program, *folders], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    differences = [float(line) for line in done.stdout.split()]
    assert len(differences) == len(folders)
    assert max(differences) <= 1e-4
    done = subprocess.run([python, "-I", Path(folders[0]) / "load.py"], capture_output=True, text=True, check=True)
    ways = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert [name for name, found in ways.items() if found == "works"] == [f"with_{packages[0]}"]
    assert ways["with_qd"] == "ModuleNotFoundError: No module named 'qd'"
