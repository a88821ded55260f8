"""The weights of elites, and of no one else, are kept."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

import qd
from qd.errors import QdError
from qd.store.folder import RunFolder, write_atomically


def trained(workbench, **changes):
    return workbench.write(evaluator={"kind": f"{workbench.module}:Trained", "failing": 0.1}, **changes)


def kept(folder: RunFolder) -> set[int]:
    return {int(path.stem) for path in folder.weights.iterdir()}


def elites(run: qd.Run) -> set[int]:
    return {elite.evaluation for elite in run.archive.elites.values()}


def test_after_every_tell_the_elites_weights_are_there_and_no_others(workbench):
    seen = []

    def progress(search):
        seen.append(len(search.archive))
        assert kept(RunFolder("run")) == {elite.evaluation for elite in search.archive.elites.values()}

    run = qd.run(trained(workbench), out="run", progress=progress)
    assert len(seen) == 50
    assert kept(run.folder) == elites(run)
    for evaluation in elites(run):
        weights = load_file(run.folder.weights_path(evaluation))
        np.testing.assert_array_equal(weights["w"], np.full(3, evaluation, dtype=np.float32))


def test_a_sweep_leaves_what_is_not_its_own(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.weights.mkdir(parents=True)
    for name in ("1.safetensors", "2.safetensors", ".3.safetensors.tmp", "notes.txt"):
        (folder.weights / name).touch()
    (folder.weights / "old").mkdir()
    (folder.weights / "4.safetensors").mkdir()
    folder.sweep_weights([1])
    assert {path.name for path in folder.weights.iterdir()} == {"1.safetensors", "notes.txt", "old", "4.safetensors"}


def test_what_is_written_through_a_link_leaves_the_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.yaml").symlink_to("elsewhere/real.yaml")
    for text in (b"first", b"second"):  # the link dangles at first
        write_atomically(tmp_path / "link.yaml", text)
        assert (tmp_path / "link.yaml").is_symlink()
        assert (tmp_path / "elsewhere" / "real.yaml").read_bytes() == text
    assert len(list(tmp_path.rglob("*"))) == 3


def test_weights_are_there_before_the_log_says_so(workbench):
    """The search is stopped between the two: what is in the log has its weights, and a resume sweeps the rest."""

    def cut(search, log):
        commit = log.commit

        def commit_or_fail(change):
            if change.tell == 20:
                raise KeyboardInterrupt
            commit(change)

        log.commit = commit_or_fail

    with pytest.raises(KeyboardInterrupt):
        workbench.search("run", prepare=cut, evaluator={"kind": f"{workbench.module}:Trained"})
    run = qd.open_run("run")
    orphans = kept(run.folder) - elites(run)
    assert elites(run) < kept(run.folder)
    asked = {id for (id,) in run.query("SELECT id FROM evaluations WHERE id NOT IN (SELECT _evaluation FROM results)")}
    assert orphans <= asked
    run = qd.resume("run")
    assert kept(run.folder) == elites(run)


def test_a_resume_sweeps_what_a_killed_driver_left(workbench):
    run = qd.run(trained(workbench), out="run")
    run.folder.write_weights(100_000, {"w": np.zeros(2, dtype=np.float32)})
    (run.folder.weights / ".7.safetensors.tmp").write_bytes(b"half of it")
    run = qd.resume("run")
    assert {path.name for path in run.folder.weights.iterdir()} == {f"{id}.safetensors" for id in elites(run)}


def test_damaged_weights_are_told(workbench):
    run = qd.run(trained(workbench), out="run")
    evaluation = elites(run).pop()
    path = run.folder.weights_path(evaluation)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(QdError, match=rf"{evaluation}\.safetensors: expected a safetensors file, but it is damaged"):
        run.folder.read_weights(evaluation)


def test_a_search_without_weights_keeps_none(workbench):
    run = qd.run(workbench.write(), out="run")
    assert kept(run.folder) == set()
    assert run.with_weights() == []


def test_numbers_alone_keep_their_shape(tmp_path):
    """A counter, as batch normalisation has one, is a tensor without axes."""
    folder = RunFolder(tmp_path / "run")
    folder.weights.mkdir(parents=True)
    folder.write_weights(1, {"batches": np.array(7), "turned": np.arange(6.0).reshape(2, 3).T})
    back = folder.read_weights(1)
    assert back["batches"].shape == () and back["batches"] == 7
    np.testing.assert_array_equal(back["turned"], np.arange(6.0).reshape(2, 3).T)
