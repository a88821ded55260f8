"""An architecture trained longer: the ordinary loop, resumable to the bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import qd
from evaluators.data import Split
from evaluators.data.digits import Digits
from evaluators.supervised import Supervised
from qd.errors import QdError, UsageError
from qd.exporting import export, load
from qd.exporting import train as train_module
from qd.exporting.train import train
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces.sparse_moe import SparseMoE

ALONE = "safetensors"


@pytest.fixture
def best(digits_run, tmp_path, monkeypatch) -> Path:
    """The folder of an export, which is in the working directory."""
    monkeypatch.chdir(tmp_path)
    export(digits_run, "best", best=True, formats=ALONE)
    return Path("best")


def tensors(folder) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in load(folder).state_dict().items()}


def assert_equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_it_is_the_plain_loop_on_all_training_data(best):
    train(best, "final", epochs=3, device="cpu", formats=ALONE)
    data = json.loads((best / "architecture.json").read_text())
    evaluator = Supervised(Digits(Split(train=400)))
    inputs, labels = evaluator.task_data().examples("train")
    assert len(inputs) == 1151  # all that is neither for validation nor for the test
    network = build_seeded(lambda: SparseMoE().build(data["genotype"], evaluator.data.task), data["seed"])
    options = TrainingOptions(3, 100, "adam", 0.005, 0.0, "cosine")
    train_alone(
        network,
        torch.from_numpy(inputs),
        torch.from_numpy(labels),
        options,
        "cross_entropy",
        data["shared_seed"],
        seed=data["seed"],
    )
    assert_equal(tensors("final"), {name: tensor.numpy() for name, tensor in network.state_dict().items()})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_is_scored_where_it_is_trained(best):
    scores = train(best, "final", epochs=1, device="cuda", formats=ALONE)
    assert scores.keys() == {"test_accuracy", "test_loss"}


def test_it_exports_what_it_trained_and_scores_the_test_split_once(best, digits_run, qd_command):
    before = json.loads((best / "metrics.json").read_text())["measured"]["val_accuracy"]
    answer = qd_command("train", best, "--epochs", 8, "--to", "final", "--licence", "MIT")
    assert answer.status == 0
    assert "exported to final" in answer.err
    metrics = json.loads(Path("final/metrics.json").read_text())
    assert metrics["measured"]["val_accuracy"] > before
    assert metrics["parity"]["differences"].keys() == {"safetensors", "onnx", "torch"}
    outputs = load("final")(torch.from_numpy((data := Supervised().task_data()).examples("test").inputs))
    labels = data.examples("test").targets
    # this evaluator's preprocessing is fitted to other examples than the run's, hence about
    assert metrics["test"]["test_accuracy"] == pytest.approx(
        float((outputs.argmax(1).numpy() == labels).mean()), abs=0.03
    )
    assert f"on the test split: test_accuracy {metrics['test']['test_accuracy']:.4g}" in answer.err
    assert metrics["test"].keys() == {"test_accuracy", "test_loss"}
    trained = json.loads(Path("final/architecture.json").read_text())["trained"]
    assert (trained["epochs"], trained["examples"]) == (8, 1151)
    card = Path("final/README.md").read_text()
    kept = f"kept is epoch {trained['kept']}, the best on the validation split"
    assert f"| trained after the search | 8 epochs on 1151 examples; {kept} |" in card
    assert f"| test_accuracy | {metrics['test']['test_accuracy']:.6g} |" in card
    assert f"| val_accuracy | {metrics['measured']['val_accuracy']:.6g} |" in card
    assert not Path("final.training").exists()


def test_the_best_epoch_is_kept_and_said_also_where_the_training_was_interrupted(best, logged):
    data = json.loads((best / "architecture.json").read_text())
    data["evaluator"]["training"].update(
        learning_rate=0.1, schedule="constant"
    )  # it jumps about, and ends below its best
    (best / "architecture.json").write_text(json.dumps(data))
    accuracies: list[float] = []

    def progress(done, of, more):
        accuracies.append(float(more.removeprefix("val_accuracy ")))
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(best, "final", epochs=5, device="cpu", formats=ALONE, progress=progress)
    train(best, "final", epochs=5, device="cpu", formats=ALONE, progress=progress)
    assert len(accuracies) == 5
    kept = max(range(5), key=lambda epoch: (accuracies[epoch], epoch)) + 1
    assert kept < 5, "this training was to end worse than its best"
    assert json.loads(Path("final/architecture.json").read_text())["trained"]["kept"] == kept
    measured = json.loads(Path("final/metrics.json").read_text())["measured"]["val_accuracy"]
    assert measured == pytest.approx(max(accuracies), abs=5e-5)
    assert f"the best of 5 epochs is kept: {kept}, val_accuracy {measured:.4g}" in logged.messages


def test_a_training_that_was_interrupted_goes_on_to_the_bit(best, logged):
    train(best, "whole", epochs=4, device="cpu", formats=ALONE)
    epochs: list[int] = []

    def interrupt(done, of, more):
        epochs.append(done)
        assert of == 4
        assert more.startswith("val_accuracy 0.")
        if done in (1, 3):
            os.kill(os.getpid(), signal.SIGINT)

    for kept in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            train(best, "parts", epochs=4, device="cpu", formats=ALONE, progress=interrupt)
        assert f"{kept} of 4 epochs are kept; the same command goes on from there" in logged.messages
        assert not Path("parts").exists()
    train(best, "parts", epochs=4, device="cpu", formats=ALONE, progress=interrupt)
    assert "going on after epoch 3 of 4" in logged.messages
    assert epochs == [1, 2, 3, 4]
    assert_equal(tensors("parts"), tensors("whole"))


@pytest.fixture
def interrupted(best) -> Path:
    """The checkpoint of a training of three epochs, the first of which is done."""
    with pytest.raises(KeyboardInterrupt):
        train(best, "final", epochs=3, formats=ALONE, progress=lambda *_: os.kill(os.getpid(), signal.SIGINT))
    return Path("final.training/checkpoint.safetensors")


def test_what_a_kill_left_beside_a_finished_training_is_swept(best, interrupted):
    shutil.copytree("final.training", "kept")
    train(best, "final", epochs=3, formats=ALONE)
    Path("kept").rename("final.training")  # as where it is killed before it deletes its checkpoint
    with pytest.raises(UsageError, match="final exists and is never overwritten"):
        train(best, "final", epochs=3, formats=ALONE)
    assert not Path("final.training").exists()


def test_a_checkpoint_of_other_settings_is_refused(best, interrupted):
    with pytest.raises(UsageError, match="a training of something else, or with other settings, was interrupted here"):
        train(best, "final", epochs=5, formats=ALONE)
    assert interrupted.exists()


def test_a_damaged_checkpoint_is_told(best, interrupted):
    interrupted.write_bytes(interrupted.read_bytes()[:-100])
    with pytest.raises(QdError, match=r"the checkpoint is damaged .* delete it to start again"):
        train(best, "final", epochs=3, formats=ALONE)


def test_a_candidate_of_a_run_is_trained_ten_times_as_long(digits_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_module, "LONGER", 2)
    candidate = int(qd.open_run(digits_run).elites()["id"].iloc[-1])
    train(digits_run, "final", id=candidate, formats=ALONE)
    data = json.loads(Path("final/architecture.json").read_text())
    assert (data["candidate"], data["trained"]["epochs"]) == (candidate, 4)
    assert "## Lineage" in Path("final/README.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["best", "--id", 3], "--id names a candidate of a run, and best is an export; leave it out"),
        (["RUN"], "say which candidate, with --id (qd elites lists them)"),
        (["RUN", "--id", 999], "there is no candidate 999"),
        (["nowhere"], "nowhere is no run folder"),
        (["best", "--epochs", 0], "--epochs: expected at least 1, got 0"),
        (["best", "--device", "tpu"], "--device: expected auto, cpu, cuda"),
        (["best", "--format", "pickle"], "--format: unknown format 'pickle'"),
    ],
)
def test_train_refuses(best, digits_run, qd_command, words, message):
    words = [digits_run if word == "RUN" else word for word in words]
    answer = qd_command("train", *words, "--to", "final")
    assert answer.status == 2
    assert message in answer.err
    assert {path.name for path in Path.cwd().iterdir()} == {"best"}


def test_an_evaluator_without_data_is_told(finished, workbench, qd_command):
    run = qd.run(workbench.write(evaluator={"kind": f"{workbench.module}:Trained"}), out="run")
    answer = qd_command("train", "run", "--id", run.elites()["id"][0], "--to", "final")
    assert answer.status == 2
    assert "gives no data and options to train with" in answer.err
