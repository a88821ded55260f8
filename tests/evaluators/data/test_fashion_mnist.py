import gzip
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.data import Part, Split, fashion_mnist, fashion_mnist_download
from evaluators.data.fashion_mnist import FILES, FashionMNIST, cache_folder, find


def write_idx(path: Path, array: np.ndarray) -> None:
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


@pytest.fixture
def no_data(tmp_path, monkeypatch) -> Path:
    """A machine without Fashion-MNIST; returns its cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path / "cache" / "qdnas" / "fashion_mnist"


def test_missing_files_are_told_with_all_three_ways(no_data):
    with pytest.raises(ValueError, match="data: Fashion-MNIST is neither in") as caught:
        find()
    for way in ("`folder`", "dataset-fashion-mnist", "python -m evaluators.data.fashion_mnist", "https://"):
        assert way in str(caught.value)


def test_a_named_folder_must_hold_all_files(tmp_path):
    (tmp_path / FILES[0]).touch()
    (tmp_path / f"{FILES[1]}.gz").touch()
    with pytest.raises(ValueError, match=rf"folder: expected .* missing: {FILES[2]}, {FILES[3]}"):
        find(str(tmp_path))


def test_the_cache_comes_before_debians_folder(no_data, tmp_path):
    for folder in (tmp_path / "debian", no_data):
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / f"{name}.gz").touch()
        assert find() == folder


def test_the_published_test_split_stays_the_test_split(tmp_path):
    first_pixel = np.zeros((70_000, 28, 28), np.uint8)
    first_pixel[:, 0, 0] = np.arange(70_000) % 251
    first_pixel[60_000:, 1, 1] = 1
    labels = (np.arange(70_000) % 10).astype(np.uint8)
    arrays = (first_pixel[:60_000], labels[:60_000], first_pixel[60_000:], labels[60_000:])
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(tmp_path / name, array)
    data = FashionMNIST(str(tmp_path))
    # nobody knows what these images are, nor under which licence
    assert (data.name, data.licence, data.class_names) == (tmp_path.name, "not stated", tuple("0123456789"))
    parts = replace(data, split=Split(train=1000, validation=500)).splits()
    assert [len(parts.part(part)) for part in Part] == [1000, 500, 10_000]
    assert parts.test.inputs[:][:, 0, 1, 1].all()
    assert not parts.train.inputs[:][:, 0, 1, 1].any() and not parts.validation.inputs[:][:, 0, 1, 1].any()
    np.testing.assert_array_equal(parts.test.targets, labels[60_000:])


@pytest.mark.skipif(not cache_folder().is_dir(), reason="Fashion-MNIST is not here")
def test_the_published_files_are_known_wherever_they_lie(tmp_path):
    (tmp_path / "elsewhere").symlink_to(cache_folder())
    data = FashionMNIST(str(tmp_path / "elsewhere"))
    assert (data.name, data.licence, data.class_names[0]) == ("fashion_mnist", "MIT (Zalando SE)", "T-shirt/top")


def test_files_of_another_data_set_are_refused(tmp_path):
    for name in FILES:
        write_idx(tmp_path / name, np.zeros((3, 2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"expected Fashion-MNIST's shape \(60000, 28, 28\), got \(3, 2, 2\)"):
        FashionMNIST(str(tmp_path)).load()


@pytest.fixture
def official(no_data, tmp_path, monkeypatch) -> Path:
    """An address with four small files, whose checksums hold, on a machine without apt."""
    address = tmp_path / "address"
    address.mkdir()
    sums = {}
    for name in FILES:
        (address / f"{name}.gz").write_bytes(gzip.compress(name.encode()))
        sums[name] = hashlib.sha256(name.encode()).hexdigest()
    monkeypatch.setattr(fashion_mnist_download, "OFFICIAL_ADDRESS", address.as_uri())
    monkeypatch.setattr(fashion_mnist_download, "SHA256", sums)
    monkeypatch.setenv("PATH", str(tmp_path))
    return address


def test_fetches_the_official_files_where_apt_is_not_there(official, no_data, capsys):
    assert fashion_mnist.main() == 0
    assert find() == no_data
    assert sorted(path.name for path in no_data.parent.iterdir()) == ["fashion_mnist"]  # nothing left behind
    said = capsys.readouterr().err
    assert "31 MB" in said.splitlines()[1]
    assert fashion_mnist.main() == 0
    assert "already in" in capsys.readouterr().err


def test_a_wrong_checksum_leaves_nothing_behind(official, no_data, capsys):
    (official / f"{FILES[3]}.gz").write_bytes(gzip.compress(b"something else"))
    assert fashion_mnist.main() == 1
    said = capsys.readouterr().err
    assert f"{FILES[3]}.gz: expected content with SHA-256" in said
    for way in ("`folder`", "dataset-fashion-mnist", "https://"):
        assert way in said
    assert not no_data.exists()


def test_an_unreachable_address_is_told(official, capsys):
    (official / f"{FILES[0]}.gz").unlink()
    assert fashion_mnist.main() == 1
    assert "There are three ways to get it" in capsys.readouterr().err
