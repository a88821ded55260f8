"""Modules of a stranger's file in chains: searched, resumed, looked at, exported; wrong uses, refused at the door."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import qd
from qd.errors import UsageError
from qd.testing.toys import copy_toy

PLUGIN = "strange_modules"
EVALUATIONS = 20


def written(folder: Path, modules: Any, **space: Any) -> Path:
    """A run file in a folder with the toy modules."""
    copy_toy("modules", folder, PLUGIN)
    data = {
        "space": {"kind": "chain", "port": "vector", "width": [8], "depth": [1, 2], "modules": modules, **space},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "digits", "split": {"train": 60}},
            "training": {"epochs": 1},
        },
        "archive": {
            "objective": "val_accuracy",
            "measures": [{"metric": "parameters", "low": 100, "high": 2000, "bins": 6}],
        },
        "search": {"order": "id", "seed": 1, "chunk": 4},
        "budget": {"evaluations": EVALUATIONS},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run over our module and a stranger's two, one of which fails for some genes."""
    folder = tmp_path_factory.mktemp("strange")
    file = written(folder, ["dense", f"{PLUGIN}:Gated", {"kind": f"{PLUGIN}:Fragile"}])
    yield qd.run(file, out=folder / "out").folder.path
    sys.modules.pop(PLUGIN, None)


@pytest.mark.parametrize(
    ("modules", "space", "message"),
    [
        (["dens"], {}, r"space.modules\[0\].kind: unknown ShelfModule 'dens'; did you mean 'dense'\?"),
        (["attention"], {}, "modules: attention is for tokens, and this space's port is vector; `qd modules` lists"),
        (["dense", "dense"], {}, "modules: there are two of the name dense; name each once"),
        ([], {}, "modules: expected at least one, got none"),
        (
            [f"{PLUGIN}:GatedUnit"],
            {},
            "strange_modules:GatedUnit is no ShelfModule: derive it from search_spaces",
        ),
        ([f"{PLUGIN}:Gatd"], {}, "has no class 'Gatd'; did you mean 'Gated'"),
        ([f"{PLUGIN}:Fragile"], {"port": "tokens"}, "modules: fragile is for vector, and this space's port is tokens"),
        ([{"kind": "dense", "widest": 8}], {}, r"space.modules\[0\].widest: unknown key"),
        ("dense", {}, "space.modules: input should be a valid array, got 'dense'"),
    ],
)
def test_wrong_uses_are_refused_and_nothing_is_made(modules: Any, space: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        qd.run(written(tmp_path, modules, **space), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    sys.modules.pop(PLUGIN, None)


def test_a_module_that_cannot_be_built_costs_its_candidate_alone(searched: Path) -> None:
    run = qd.open_run(searched)
    counts = run.summary()["evaluations"]
    assert sum(counts.values()) == EVALUATIONS
    assert counts["ok"] > 5 and counts["invalid"] and counts["failed"], counts
    run.close()


def test_it_goes_on_where_it_stopped(searched: Path, tmp_path: Path) -> None:
    for name in ("run.yaml", f"{PLUGIN}.py"):
        shutil.copy(searched.parent / name, tmp_path / name)
    qd.run(tmp_path / "run.yaml", budget={"evaluations": 8}, out=tmp_path / "out").close()
    again = qd.resume(tmp_path / "out", budget={"evaluations": EVALUATIONS})
    undisturbed = qd.open_run(searched)
    wanted, got = (run.elites().set_index("id")["val_accuracy"].to_dict() for run in (undisturbed, again))
    assert got == wanted
    again.close()
    undisturbed.close()


def test_looking_needs_no_plug_in(searched: Path, tmp_path: Path, qd_command: Any) -> None:
    shutil.copytree(searched, tmp_path / "out")
    sys.modules.pop(PLUGIN, None)
    for words in (
        ["show", tmp_path / "out"],
        ["elites", tmp_path / "out"],
        ["map", tmp_path / "out", "--measures", "open_share,parameters", "--out", tmp_path / "map.png"],
        ["plot", "architecture", tmp_path / "out", "--out", tmp_path / "network.svg"],
    ):
        answer = qd_command(*words)
        assert answer.status == 0, answer.err
    assert PLUGIN not in sys.modules


def test_an_export_loads_with_the_folder_of_the_module(searched: Path, tmp_path: Path) -> None:
    run = qd.open_run(searched)
    found = run.genotypes(run.elites()["id"].tolist())
    id = next(one for one, genotype in found.items() if any("gate" in layer for layer in genotype["layers"]))
    run.close()
    qd.export(searched, tmp_path / "net", id=id, formats="safetensors,circuit")
    inputs = torch.rand(3, 1, 8, 8)
    outputs = qd.load(tmp_path / "net", plugins=searched.parent)(inputs)
    assert outputs.shape == (3, 10) and np.isfinite(outputs.detach().numpy()).all()
    with pytest.raises(UsageError, match="strange_modules:Gated' is a plug-in; say where it lies with `plugins`"):
        qd.load(tmp_path / "net")


def test_a_library_takes_chains_of_our_modules_alone(searched: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its space is a plug-in, which a library could not build again"):
        qd.library.build([searched], tmp_path / "library")
    file = written(tmp_path, ["dense", {"kind": "identity"}], exits=True)
    own = qd.run(file, budget={"evaluations": 4}, out=tmp_path / "own")
    added = qd.library.build([own.folder.path], tmp_path / "library")
    assert [(one.input.kind, one.output.kind) for one in added] == [("image", "vector"), ("vector", "scores")]
    assert own.archive.best is not None
    qd.export(own.folder.path, tmp_path / "net", id=own.archive.best.candidate, formats="safetensors")
    from qd.transfer.library import open_library

    body, head = (open_library(tmp_path / "library").build(one.name).eval() for one in added)
    inputs = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(head(body(inputs)), qd.load(tmp_path / "net")(inputs))
    own.close()
