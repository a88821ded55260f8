"""An architecture taken home, and back to a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import qd
from qd.errors import QdError, UsageError
from qd.export import export_elite, load

NETWORKS = '''
import numpy as np
import torch

from evaluators import Evaluator, Metric
from qd.candidates import Results
from search_spaces import Integer, SearchSpace, Struct, Task


class Lines(SearchSpace):
    """One linear layer of some width after another."""

    genes = Struct(width=Integer(1, 9))

    def build(self, genotype, task):
        width = genotype["width"]
        return torch.nn.Sequential(torch.nn.Linear(task.input_shape[0], width), torch.nn.Linear(width, task.outputs))


class Untrained(Evaluator):
    """Scores a fresh network by its mean output, and keeps its weights."""

    metrics = {"score": Metric("", -10, 10), "width": Metric("units", 0, 10)}
    task = Task((3,), 2, "mean_squared_error")

    def evaluate(self, candidates):
        scores, weights = [], {}
        for id, seed, genotype in zip(candidates.evaluation_ids, candidates.seeds, candidates.genotypes):
            torch.manual_seed(int(seed) % 2**32)
            network = self.space.build(genotype, self.task)
            scores.append(float(network(torch.ones(1, 3)).mean()))
            weights[int(id)] = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        widths = [genotype["width"] for genotype in candidates.genotypes]
        return Results.ok(candidates, {"score": np.array(scores), "width": np.array(widths)}, weights=weights)
'''


@pytest.fixture
def run(workbench) -> qd.Run:
    """Nine architectures, every one an elite with its weights."""
    workbench.plugin.write_text(NETWORKS)
    file = workbench.write(
        space={"kind": f"{workbench.module}:Lines"},
        evaluator={"kind": f"{workbench.module}:Untrained"},
        archive={"measures": [{"metric": "width", "low": 0, "high": 10, "bins": 10}]},
    )
    return qd.run(file, out="run")


def test_an_exported_network_computes_what_was_evaluated(run, workbench, qd_command):
    best = run.elites().iloc[0]
    answer = qd_command("export", "run", "--best", "--to", "home")
    assert (answer.status, answer.out) == (0, "")
    assert f"exported {best['id']} to home" in answer.err
    assert sorted(path.name for path in Path("home").iterdir()) == [
        "README.md",
        "architecture.json",
        "weights.safetensors",
    ]
    data = json.loads(Path("home/architecture.json").read_text())
    assert data["genotype"] == best["genotype"]
    assert data["metrics"] == {"score": best["score"], "width": best["width"]}
    assert data["task"] == {"input_shape": [3], "outputs": 2, "loss": "mean_squared_error"}
    network = load("home", plugins=workbench.folder)
    assert not network.training
    assert float(network(torch.ones(1, 3)).mean()) == best["score"]


def test_any_elite_is_exported_by_its_id(run, workbench):
    for _, row in run.elites().iterrows():
        export_elite(run, row["id"], f"home_{row['id']}")
        network = load(f"home_{row['id']}", plugins=workbench.folder)
        assert float(network(torch.ones(1, 3)).mean()) == row["score"]
        weights = load_file(f"home_{row['id']}/weights.safetensors")
        np.testing.assert_array_equal(weights["0.weight"], network.state_dict()["0.weight"].numpy())


def test_the_example_in_the_readme_runs(run, workbench):
    export_elite(run, run.archive.best.candidate, "home")
    text = Path("home/README.md").read_text()
    assert f"# {workbench.module}:Lines {run.archive.best.candidate}" in text
    assert "takes float32 of shape (batch, 3) and gives 2 outputs" in text
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ") and ("load" in line)]
    assert lines[0] == "from qd.export import load"
    code = "\n".join(lines).replace('load("home")', f'load("home", plugins={str(workbench.folder)!r})')
    code += "\nimport torch\nprint(network(torch.ones(2, 3)).shape)"
    root = Path(qd.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "torch.Size([2, 2])\n", done.stderr


def test_an_id_whose_weights_are_gone_is_refused_and_the_others_are_named(run, qd_command):
    first, second, *rest = run.elites().to_dict("records")
    run.folder.delete_weights([first["evaluation"]])
    answer = qd_command("export", "run", "--id", first["id"], "--to", "home")
    assert answer.status == 2
    others = ", ".join(str(row["id"]) for row in [second, *rest])
    assert f"the trained weights of {first['id']} were not kept; those of elites are: {others}\n" in answer.err
    assert not Path("home").exists()
    assert qd_command("export", "run", "--id", second["id"], "--to", "home").status == 0


def test_a_run_without_weights_says_so(finished, workbench, qd_command):
    shutil.copytree(finished, "copy")
    shutil.rmtree("copy/weights")
    answer = qd_command("export", "copy", "--best", "--to", "home")
    assert answer.status == 2
    assert "were not kept, nor those of any other" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--id", "100000"], "there is no candidate 100000; qd elites lists"),
        ([], "say which network: --best or --id N"),
        (["--best", "--id", "3"], "say which network: --best or --id N"),
    ],
)
def test_export_refuses(finished, qd_command, tmp_path, words, message):
    answer = qd_command("export", finished, *words, "--to", tmp_path / "home")
    assert answer.status == 2
    assert message in answer.err
    assert list(tmp_path.iterdir()) == []


def test_export_overwrites_nothing(finished, qd_command, tmp_path):
    (tmp_path / "home").mkdir()
    answer = qd_command("export", finished, "--best", "--to", tmp_path / "home")
    assert answer.status == 2
    assert "home exists and is never overwritten; choose another --to" in answer.err
    answer = qd_command("export", finished, "--best", "--to", tmp_path / "nowhere" / "home")
    assert answer.status == 2
    assert "there is no folder" in answer.err


def test_damaged_weights_are_not_exported(run, qd_command):
    path = run.folder.weights_path(run.archive.best.evaluation)
    path.write_bytes(path.read_bytes()[:-7])
    answer = qd_command("export", "run", "--best", "--to", "home")
    assert answer.status == 1
    assert "expected a safetensors file, but it is damaged" in answer.err
    assert sorted(path.name for path in Path.cwd().iterdir() if "home" in path.name) == []


def damaged(name: str, change) -> None:
    data = json.loads(Path("home/architecture.json").read_text())
    change(data)
    Path("home/architecture.json").write_text(json.dumps(data))


def test_a_damaged_export_is_told(run, workbench):
    export_elite(run, run.archive.best.candidate, "home")
    shutil.copytree("home", "good")

    def expect(kind, message):
        with pytest.raises(kind, match=message):
            load("home", plugins=workbench.folder)
        shutil.rmtree("home")
        shutil.copytree("good", "home")

    damaged("home", lambda data: data.update(format=2))
    expect(UsageError, "written in format 2, this qd reads format 1; update qdnas")
    damaged("home", lambda data: data["genotype"].update(width=10))
    expect(QdError, r"does not build this genotype: width: expected an integer in \[1, 9\], got 10")
    damaged("home", lambda data: data["genotype"].update(width=data["genotype"]["width"] % 9 + 1))
    expect(QdError, "the weights do not fit the architecture")
    damaged("home", lambda data: data.pop("task"))
    expect(UsageError, "expected task in it")
    damaged("home", lambda data: data["space"].update(kind="nowhere:Lines"))
    expect(UsageError, "expected the plug-in 'nowhere' at")
    Path("home/weights.safetensors").write_bytes(b"short")
    expect(QdError, "expected a safetensors file, but it is missing or damaged")
    Path("home/weights.safetensors").unlink()
    expect(QdError, "expected a safetensors file, but it is missing or damaged")
    Path("home/architecture.json").write_text("{")
    expect(UsageError, r"home: expected an export with architecture\.json in it")
    with pytest.raises(UsageError, match=r"nowhere: expected an export with architecture\.json in it"):
        load("nowhere")
    with pytest.raises(UsageError, match="is a plug-in; say where it lies"):
        load("home")


def test_a_built_in_space_needs_no_plug_in_folder(workbench, tmp_path):
    pytest.importorskip("sklearn")
    file = workbench.folder / "moe.yaml"
    file.write_text(
        "space: {kind: sparse_moe}\n"
        "evaluator: {kind: image_classification, data: digits, epochs: 1}\n"
        "archive:\n  objective: val_accuracy\n"
        "  measures: [{metric: active_parameters, low: 100, high: 1000000, bins: 5, scale: log}]\n"
        "search: {chunk: 2}\nbudget: {evaluations: 2}\n"
    )
    run = qd.run(file, out="moe")
    export_elite(run, run.archive.best.candidate, "home")
    network = load("home")
    data = json.loads(Path("home/architecture.json").read_text())
    assert network(torch.zeros(4, *data["task"]["input_shape"])).shape == (4, 10)
