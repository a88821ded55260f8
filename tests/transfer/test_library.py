import json
import shutil
from pathlib import Path

import pytest
import torch

import qd
from qd.errors import UsageError
from qd.exporting.elites import export
from qd.exporting.load import load
from qd.transfer.library import build_library, open_library
from search_spaces.module_library import ModuleLibrary

RUN = {
    "space": {"kind": "module_library", "channels": [4], "hidden": [8, 16]},
    "evaluator": {
        "kind": "task_stream",
        "tasks": [{"data": "digits"}, {"data": "digits", "inverted": True}],
        "train_examples": 60,
        "validation_examples": 40,
        "test_examples": 100,
        "training": {"epochs": 1, "batch_size": 50, "learning_rate": 0.003},
    },
    "archive": {
        "objective": "val_accuracy",
        "measures": [
            {"metric": "trained_parameters", "low": 1, "high": 100000, "bins": 4, "scale": "log"},
            {"metric": "reuse", "low": 0, "high": 1, "bins": 2},
        ],
    },
    "emitters": [{"kind": "map_elites", "initial": 4}],
    "search": {"order": "id", "chunk": 2, "window": 2},
    "budget": {"evaluations": 2},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished search of new networks."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "run.yaml").write_text(json.dumps(RUN))
    return qd.run(folder / "run.yaml", out=folder / "new").folder.path


def test_a_run_becomes_modules_that_compute_the_same(run, tmp_path):
    added = build_library([run], tmp_path / "library")
    assert [record.source.split(", ")[-1] for record in added] == ["conv1", "conv2", "dense", "head"]
    assert [str(record.input) for record in added] == ["image 1×8×8", "features 4×4×4", "features 4×2×2", "vector 16"]
    assert [str(record.output) for record in added][-1] == "scores 10"
    assert {record.task for record in added} == {"digits"}
    found = qd.open_run(run)
    best = found.archive.best
    assert best is not None
    assert all(record.accuracy == pytest.approx(best.objective) for record in added)
    weights = found.folder.read_weights(best.evaluation)
    module = open_library(tmp_path / "library").build(added[0].name)
    assert torch.equal(module.state_dict()["0.weight"], torch.from_numpy(weights["conv1.body.0.weight"]))


def test_building_again_adds_nothing_and_changes_nothing(run, tmp_path, digests):
    build_library([run], tmp_path / "library")
    before = digests(tmp_path / "library")
    assert build_library([run], tmp_path / "library") == []
    assert digests(tmp_path / "library") == before


def test_modules_that_were_reused_as_they_are_are_not_added_again(run, tmp_path):
    library = tmp_path / "library"
    names = {record.source.split()[-1]: record.name for record in build_library([run], library)}
    genotype = {
        "conv1": {"kind": names["conv1"], "tuned": False, "stitch": "affine"},
        "conv2": {"kind": names["conv2"], "tuned": True, "stitch": "none"},
        "dense": {"kind": "new", "size": 8},
        "head": {"kind": "new"},
    }
    changed = {
        **RUN,
        "space": {**RUN["space"], "library": str(library)},
        "imported": [genotype],
        "budget": {"evaluations": 1},
    }
    changed = {**changed, "search": {"order": "id", "chunk": 1, "window": 1}}
    (tmp_path / "run.yaml").write_text(json.dumps(changed))
    second = qd.run(tmp_path / "run.yaml", out=tmp_path / "second").folder.path
    added = build_library([second], library)
    assert [record.source.split(", ")[-1] for record in added] == ["conv2", "dense", "head"]
    assert added[0].architecture == open_library(library).records[names["conv2"]].architecture


@pytest.mark.slow
def test_other_networks_are_cut_before_their_heads(networks, tmp_path):
    """A mixture of experts, out of its run and out of its export; both are the same."""
    best = qd.open_run(networks).archive.best
    assert best is not None
    export(networks, tmp_path / "exported", id=best.candidate, formats="safetensors")
    added = build_library([tmp_path / "exported"], tmp_path / "library")
    assert [(record.input.kind, record.output.kind) for record in added] == [("image", "vector"), ("vector", "scores")]
    assert build_library([networks], tmp_path / "library") == []
    network = load(tmp_path / "exported")
    library = open_library(tmp_path / "library")
    body, head = (library.build(record.name).eval() for record in added)
    x = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(head(body(x)), network(x))
    space = ModuleLibrary(str(tmp_path / "library"))
    assert added[0].name in space.positions[0].records


class TestBadInput:
    """Refused, and nothing is made or changed."""

    def refused(self, sources, to, message, **options):
        with pytest.raises(UsageError, match=message):
            build_library(sources, to, **options)

    def test_sources(self, run, tmp_path, finished):
        to = tmp_path / "library"
        (tmp_path / "weights.pth").write_bytes(b"pickle")
        self.refused(
            [tmp_path / "weights.pth"], to, "weights.pth: expected a run's folder, .*; files are never unpickled"
        )
        self.refused([tmp_path / "nowhere"], to, "nowhere: there is no such folder; expected a run's folder")
        self.refused([tmp_path], to, "is no run folder")
        self.refused(["ccexam:cifar"], to, "ccexam:cifar: expected one of ccexam:mnist, ccexam:usps, ccexam:svhn")
        self.refused([run], to, "`top`: expected at least 1, got 0", top=0)
        self.refused([run], tmp_path / "no" / "library", "there is no folder")
        self.refused([run, tmp_path / "nowhere"], to, "nowhere")
        assert not to.exists()

    def test_networks_of_others_that_were_not_fetched(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        self.refused(
            ["ccexam:usps"], tmp_path / "library", "usps.pth: there is no such file. Run `python -m evaluators"
        )
        assert not (tmp_path / "library").exists()

    def test_a_damaged_library_is_not_added_to(self, run, tmp_path, digests):
        record = build_library([run], tmp_path / "library")[0]
        (tmp_path / "library" / f"{record.name}.safetensors").write_bytes(b"")
        before = digests(tmp_path / "library")
        self.refused([run], tmp_path / "library", "expected a safetensors file")
        assert digests(tmp_path / "library") == before

    def test_a_search_over_a_bad_library_makes_no_folder(self, run, tmp_path):
        build_library([run], tmp_path / "library")
        shutil.rmtree(tmp_path / "library")
        (tmp_path / "library").mkdir()
        data = {**RUN, "space": {"kind": "module_library", "library": str(tmp_path / "library")}}
        (tmp_path / "run.yaml").write_text(json.dumps(data))
        with pytest.raises(UsageError, match=r"space: .*the library is empty; add modules: qd library build"):
            qd.run(tmp_path / "run.yaml", out=tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestCommands:
    def test_build_list_and_show(self, run, tmp_path, qd_command):
        library = tmp_path / "library"
        built = qd_command("library", "build", run, "--to", library)
        assert built.status == 0 and "4 modules added" in built.err
        listed = json.loads(qd_command("library", "list", library, "--json").out)
        names = [one["name"] for one in listed]
        assert len(names) == 4
        table = qd_command("library", "list", library).out
        assert all(name in table for name in names)
        shown = qd_command("library", "show", library, names[0])
        assert "takes" not in shown.out and "digest: " in shown.out and "task: digits" in shown.out
        data = json.loads(qd_command("library", "show", library, names[0], "--json").out)
        assert data == listed[0] and len(data["statistics"]["mean"]) == 16

    def test_bad_input(self, run, tmp_path, qd_command):
        library = tmp_path / "library"
        missing = qd_command("library", "list", library)
        assert missing.status == 2 and "there is no such library" in missing.err
        qd_command("library", "build", run, "--to", library)
        name = json.loads(qd_command("library", "list", library, "--json").out)[0]["name"]
        wrong = qd_command("library", "show", library, f"{name}x")
        assert wrong.status == 2 and f"did you mean {name!r}" in wrong.err
