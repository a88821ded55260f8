"""Networks of a run taken home, and back."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import qd
from qd.analysis.selection import undominated
from qd.errors import QdError, UsageError
from qd.exporting import export, load
from qd.exporting.formats import FORMATS, Safetensors
from search_spaces import Task
from search_spaces.task import Values, Vector

NETWORKS = '''
import numpy as np
import torch

from search_spaces.task import Vector, Values
from evaluators import Evaluator, Metric
from qd.candidates import Results
from search_spaces import Integer, SearchSpace, Struct, Task


class Lines(SearchSpace):
    """One linear layer of some width after another."""

    genes = Struct(width=Integer(1, 9))

    def build(self, genotype, task):
        width = genotype["width"]
        return torch.nn.Sequential(torch.nn.Linear(task.input_shape[0], width), torch.nn.Linear(width, task.outputs))


class Branching(Lines):
    """Cannot be traced: what it does depends on its input."""

    def build(self, genotype, task):
        class Network(torch.nn.Linear):
            def forward(self, x):
                return super().forward(x if x.abs().sum() >= 0 else -x)

        return Network(task.input_shape[0], task.outputs)


class Untrained(Evaluator):
    """Scores a fresh network by its mean output, and keeps its weights."""

    metrics = {"score": Metric("", -10, 10), "width": Metric("units", 0, 10, "minimise")}
    task = Task(Vector(3), Values(2))

    def __init__(self, forgets: bool = False):
        self.forgets = forgets

    def evaluate(self, candidates):
        scores, weights = [], {}
        for id, seed, genotype in zip(candidates.evaluation_ids, candidates.seeds, candidates.genotypes):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(seed))
                network = self.space.build(genotype, self.task)
            scores.append(float(network(torch.ones(1, 3)).mean()))
            weights[int(id)] = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        widths = [genotype["width"] for genotype in candidates.genotypes]
        found = {} if self.forgets else weights
        return Results.ok(candidates, {"score": np.array(scores), "width": np.array(widths)}, weights=found)
'''
ALONE = "safetensors"


def networks(workbench, out="run", space="Lines", bins=10, **evaluator) -> qd.Run:
    workbench.plugin.write_text(NETWORKS)
    file = workbench.write(
        space={"kind": f"{workbench.module}:{space}"},
        evaluator={"kind": f"{workbench.module}:Untrained", **evaluator},
        archive={"measures": [{"metric": "width", "low": 0, "high": 10, "bins": bins}]},
    )
    return qd.run(file, out=out)


@pytest.fixture
def run(workbench) -> qd.Run:
    """Nine architectures, every one an elite with its weights."""
    return networks(workbench)


def mean_output(folder, workbench) -> float:
    return float(load(folder, plugins=workbench.folder)(torch.ones(1, 3)).mean())


def test_an_exported_network_computes_what_was_evaluated(run, workbench, qd_command):
    best = run.elites().iloc[0]
    answer = qd_command("export", "run", "--best", "--to", "home", "--licence", "CC0")
    assert (answer.status, answer.out) == (0, "")
    assert f"exported {best['id']} to home" in answer.err
    assert f"importing {workbench.module}:Lines from {workbench.folder}" in answer.err
    assert sorted(path.name for path in Path("home").iterdir()) == [
        "README.md",
        "architecture.json",
        "labels.json",
        "load.py",
        "metrics.json",
        "model.onnx",
        "model.pt2",
        "preprocessing.json",
        "weights.safetensors",
    ]
    data = json.loads(Path("home/architecture.json").read_text())
    assert data["genotype"] == best["genotype"]
    assert data["task"] == Task(Vector(3), Values(2)).plain()
    metrics = json.loads(Path("home/metrics.json").read_text())
    assert metrics["measured"] == {"score": best["score"], "width": best["width"]}
    assert metrics["verified"] is None
    assert metrics["parity"]["inputs"] == 256
    assert not metrics["parity"]["real"]
    assert max(metrics["parity"]["differences"].values()) < 1e-5
    assert mean_output("home", workbench) == pytest.approx(best["score"], abs=1e-6)
    card = Path("home/README.md").read_text()
    assert f"# {workbench.module}:Lines {best['id']}" in card
    assert "| licence | CC0 |" in card
    assert 'load("this folder", plugins=...)  # the folder of its space' in card
    assert "Not verified with fresh seeds" in card


def test_any_elite_is_exported_by_its_id_or_its_cell(run, workbench):
    for _, row in run.elites().iterrows():
        export("run", f"home_{row['id']}", id=row["id"], formats=ALONE)
        assert mean_output(f"home_{row['id']}", workbench) == pytest.approx(row["score"], abs=1e-6)
        export("run", f"cell_{row['id']}", cell=f"{row['cell'][0]}", formats=ALONE)
        weights = load_file(f"cell_{row['id']}/weights.safetensors")
        for name, tensor in load(f"home_{row['id']}", workbench.folder).state_dict().items():
            np.testing.assert_array_equal(weights[name], tensor.numpy())


def test_a_condition_exports_a_folder_for_each(run, workbench, qd_command):
    answer = qd_command("export", "run", "--where", "width BETWEEN 3 AND 5", "--to", "home", "--format", ALONE)
    assert answer.status == 0
    frame = run.elites("width BETWEEN 3 AND 5")
    assert f"exported 3 networks to home: {', '.join(map(str, frame['id']))}" in answer.err
    assert {path.name for path in Path("home").iterdir()} == set(map(str, frame["id"]))


def test_a_trade_off_exports_what_no_other_beats(run, workbench):
    frame = run.elites()
    ids = export("run", "home", pareto="score,width", formats=ALONE)
    assert 1 <= len(ids) < 9
    for row in frame.to_dict("records"):
        better = frame[(frame["score"] >= row["score"]) & (frame["width"] <= row["width"]) & (frame["id"] != row["id"])]
        assert (row["id"] in ids) == better.empty


def test_undominated_rows():
    values = np.array([[1.0, 1.0], [2.0, 2.0], [2.0, 2.0], [3.0, 1.0], [1.5, 1.5]])
    assert undominated(values, [True, True]).tolist() == [False, True, True, True, False]
    assert undominated(values, [True, False]).tolist() == [False, False, False, True, False]


def test_weights_that_were_not_kept_are_made_again(run, workbench, qd_command):
    first = run.elites().iloc[0]
    run.folder.delete_weights([first["evaluation"]])
    answer = qd_command("export", "run", "--id", first["id"], "--to", "home", "--format", ALONE)
    assert answer.status == 0
    assert f"no weights of {first['id']} were kept: evaluating it again from its seed" in answer.err
    assert "warning" not in answer.err
    assert mean_output("home", workbench) == pytest.approx(first["score"], abs=1e-6)


def test_a_candidate_that_is_no_elite_is_made_again(workbench):
    run = networks(workbench, bins=3)
    frame = run.evaluations()
    other = next(row for row in frame.to_dict("records") if row["id"] not in set(run.elites()["id"]))
    export("run", "home", id=other["id"], formats=ALONE)
    assert mean_output("home", workbench) == pytest.approx(other["score"], abs=1e-6)


def test_a_network_that_comes_out_otherwise_is_said(run, workbench, qd_command):
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(text.replace(".mean()))", ".mean()) + 1)"))
    first = run.elites().iloc[0]
    run.folder.delete_weights([first["evaluation"]])
    answer = qd_command("export", "run", "--id", first["id"], "--to", "home", "--format", ALONE)
    assert f"the source of {workbench.module}:Lines has changed since the run began" in answer.err
    assert f"warning: score of {first['id']} is" in answer.err


def test_an_evaluator_that_gives_no_weights_is_told(workbench, qd_command):
    networks(workbench, "forgetful", forgets=True)
    answer = qd_command("export", "forgetful", "--best", "--to", "home")
    assert answer.status == 2
    assert "its evaluator gives no trained weights" in answer.err
    assert not Path("home").exists()


def test_a_network_that_cannot_be_traced_is_told(workbench, qd_command):
    networks(workbench, "branching", space="Branching")
    answer = qd_command("export", "branching", "--best", "--to", "home")
    assert answer.status == 1
    assert "torch.export cannot trace this network" in answer.err
    assert "--format safetensors" in answer.err
    assert not any("home" in path.name for path in Path.cwd().iterdir())
    assert qd_command("export", "branching", "--best", "--to", "home", "--format", ALONE).status == 0


@pytest.mark.parametrize(("change", "message"), [(0.001, "outputs differ .* by 0.001"), (np.nan, "outputs differ")])
def test_a_file_that_computes_something_else_is_not_exported(run, workbench, qd_command, monkeypatch, change, message):
    class Wrong(Safetensors):
        def read(self, folder, plugins):
            network = super().read(folder, plugins)
            return lambda inputs: network(inputs) + np.float32(change)

    monkeypatch.setitem(FORMATS, "onnx", Wrong())
    answer = qd_command("export", "run", "--best", "--to", "home")
    assert answer.status == 1
    with pytest.raises(QdError, match=message):
        raise QdError(answer.err)
    assert not any("home" in path.name for path in Path.cwd().iterdir())


def test_a_run_without_networks_exports_its_weights(finished, qd_command, tmp_path):
    answer = qd_command("export", finished, "--best", "--to", tmp_path / "home")
    assert answer.status == 0
    assert {path.name for path in (tmp_path / "home").iterdir()} == {
        "README.md",
        "architecture.json",
        "metrics.json",
        "weights.safetensors",
        "diagram.svg",
    }
    best = qd.open_run(finished).archive.best
    assert best is not None
    np.testing.assert_array_equal(load_file(tmp_path / "home/weights.safetensors")["w"], [best.evaluation] * 3)
    answer = qd_command("export", finished, "--best", "--to", tmp_path / "other", "--format", "onnx")
    assert answer.status == 2
    assert "its evaluator has no task, so there is no network to write" in answer.err
    with pytest.raises(UsageError, match="evaluated without a network"):
        load(tmp_path / "home")


def test_a_run_without_networks_or_weights_says_so(finished, workbench, qd_command):
    shutil.copytree(finished, "copy")
    shutil.rmtree("copy/weights")
    answer = qd_command("export", "copy", "--best", "--to", "home")
    assert answer.status == 2
    assert "were not kept, and its evaluator has no task" in answer.err
    assert "nor are those of any other" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--id", "100000"], "there is no candidate 100000; qd elites lists"),
        ([], "say which networks: one of --best, --id, --cell"),
        (["--best", "--id", "3"], "say which networks: one of --best, --id, --cell"),
        (["--where", "score > 100"], "no elite fulfils --where 'score > 100'"),
        (["--where", "score >"], "Expected an SQL condition over id, operator, emitter, score"),
        (["--where", "id IN (SELECT id FROM candidates)"], "no such table: candidates"),
        (["--where", "(SELECT load_extension('x'))"], "the function 'load_extension' may not be called"),
        (["--where", "1); DROP TABLE elites; --"], "Expected an SQL condition"),
        (["--cell", "1"], "--cell: expected 0 to 9 (width) and 0 to 9 (height), got '1'"),
        (["--cell", "1,10"], "--cell: expected 0 to 9 (width)"),
        (["--cell", "a,b"], "--cell: expected bins such as 3,7, got 'a,b'"),
        (["--pareto", "score,wdith"], "no metric 'wdith' was logged; did you mean 'width'?"),
        (["--pareto", "score"], "--pareto: expected at least two different metrics, got 'score'"),
        (["--best", "--format", "onxx"], "--format: unknown format 'onxx'; did you mean 'onnx'?"),
        (["--best", "--format", ","], "--format: expected some of safetensors, onnx, torch"),
    ],
)
def test_export_refuses(finished, qd_command, tmp_path, digests, words, message):
    before = digests(finished)
    answer = qd_command("export", finished, *words, "--to", tmp_path / "home")
    assert answer.status == 2
    assert message in answer.err
    assert list(tmp_path.iterdir()) == []
    assert digests(finished) == before


def test_what_has_no_answer_is_not_exported(finished, qd_command, tmp_path):
    run = qd.open_run(finished)
    ids = dict(run.query("SELECT _status, candidate FROM evaluations JOIN results ON id = _evaluation"))
    twin = run.query("SELECT id, twin FROM candidates WHERE id NOT IN (SELECT candidate FROM evaluations)")[0]
    empty = next(cell for cell in range(run.archive.cells) if cell not in run.archive.elites)
    cases = {
        ("--id", ids[1]): f"candidate {ids[1]} is invalid, not ok",
        ("--id", ids[2]): f"candidate {ids[2]} is failed, not ok: RuntimeError: no luck today",
        ("--id", twin[0]): f"it is a duplicate of {twin[1]}; take that one",
        ("--cell", ",".join(map(str, run.archive.position(empty)))): "holds no elite",
    }
    for words, message in cases.items():
        answer = qd_command("export", finished, *words, "--to", tmp_path / "home")
        assert answer.status == 2
        assert message in answer.err


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
    assert not any("home" in path.name for path in Path.cwd().iterdir())


class Trap:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self):
        return Path.write_text, (Path("unpickled"), "")


def test_a_pickle_in_place_of_weights_is_refused_and_never_loaded(run, workbench, qd_command):
    export("run", "home", best=True, formats=ALONE)
    for path in (run.folder.weights_path(run.archive.best.evaluation), Path("home/weights.safetensors")):
        path.write_bytes(pickle.dumps({"0.weight": Trap()}))
    answer = qd_command("export", "run", "--best", "--to", "other")
    assert answer.status == 1
    assert "expected a safetensors file, but it is damaged" in answer.err
    with pytest.raises(QdError, match="expected a safetensors file, but it is missing or damaged"):
        load("home", workbench.folder)
    assert not Path("unpickled").exists()
    pickle.loads(pickle.dumps(Trap()))  # the trap works
    assert Path("unpickled").exists()


def test_a_damaged_export_is_told(run, workbench):
    export("run", "home", best=True, formats=ALONE)
    shutil.copytree("home", "good")

    def expect(kind, message, **change):
        path = Path("home/architecture.json")
        if change:
            data = json.loads(path.read_text())
            data.update(change)
            path.write_text(json.dumps({name: value for name, value in data.items() if value != "gone"}))
        with pytest.raises(kind, match=message):
            load("home", plugins=workbench.folder)
        shutil.rmtree("home")
        shutil.copytree("good", "home")

    width = json.loads(Path("home/architecture.json").read_text())["genotype"]["width"]
    expect(UsageError, "written in format 2, this qd reads format 1; update qdnas", format=2)
    expect(QdError, r"does not build it: width: expected an integer in \[1, 9\], got 10", genotype={"width": 10})
    expect(QdError, "the weights do not fit the architecture", genotype={"width": width % 9 + 1})
    expect(UsageError, "expected task in it", task="gone")
    expect(UsageError, "expected the plug-in 'nowhere' at", space={"kind": "nowhere:Lines"})
    expect(UsageError, "unknown SearchSpace 'sparse_mow'; did you mean 'sparse_moe'", space={"kind": "sparse_mow"})
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


def test_a_verified_network_comes_with_its_spread(digits_run, tmp_path, qd_command):
    answer = qd_command("export", digits_run, "--best", "--to", tmp_path / "home")
    assert answer.status == 0
    assert "safetensors, onnx, torch compared" in answer.err
    run = qd.open_run(digits_run)
    found = qd.analysis.verification.verification(run)
    best = found.elites.iloc[0]
    data = json.loads((tmp_path / "home/architecture.json").read_text())
    assert data["candidate"] == best["id"]
    metrics = json.loads((tmp_path / "home/metrics.json").read_text())
    assert metrics["verified"]["test_accuracy"]["mean"] == best["mean"]
    assert metrics["verified"]["test_accuracy"]["seeds"] == 2
    assert "val_accuracy" not in metrics["verified"]
    assert metrics["parity"]["real"]
    assert metrics["parity"]["validation_examples"] == 287
    assert metrics["validation"]["val_accuracy"] == pytest.approx(metrics["measured"]["val_accuracy"], abs=0.01)
    card = (tmp_path / "home/README.md").read_text()
    assert "mean ± spread of 2 fresh seeds" in card
    assert f"| val_accuracy | {metrics['measured']['val_accuracy']:.6g} | – |" in card
    assert "| test_accuracy | – | 0." in card
    assert "The search chose this network by its val_accuracy" in card
    assert "verified seeds" not in card  # which are of another split
    assert "digits; licence: CC BY 4.0" in card
    assert "![The network's modules](diagram.svg)" in card
    assert "| sample |" in card
    assert json.loads((tmp_path / "home/labels.json").read_text()) == list("0123456789")
