"""Candidates are judged with shared weights."""

import sys

import numpy as np
import pytest
import torch

import qd
from evaluators.supernet import Supernet
from qd.candidates import Candidates, Status
from qd.testing import EvaluatorConformance
from qd.training import TrainingOptions
from qd.training.supernet import BankOptions
from scripts import supernet
from search_spaces import Choice, Invalid, Repeat, Struct, Variant
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.sparse_moe import SparseMoE

RUN_FILE = """
space: {kind: sparse_moe}
evaluator: {kind: supernet, data: digits, training: {epochs: 1}, bank: {epochs: 2, networks: 3}}
archive:
  objective: inherited_accuracy
  measures: [{metric: parameters, low: 500, high: 500000, bins: 4, scale: log}]
budget: {evaluations: 4}
"""
TRAINING = TrainingOptions(epochs=4, batch_size=50)


class Small(SparseMoE):
    """Few sizes, which few steps teach."""

    genes = Struct(
        width=Choice(8, 16),
        activation=Choice("relu", "silu"),
        layers=Repeat(
            Variant(
                dense=Struct(hidden=Choice(16, 24), residual=Choice(True)),
                moe=Struct(experts=Repeat(Choice(8, 16), 2, 4), top_k=Choice(1, 2), residual=Choice(True)),
            ),
            1,
            2,
        ),
    )


def evaluator(space=None, **changes):
    made = Supernet(**{"training": TRAINING, "bank": BankOptions(epochs=6), **changes})
    made.bind(space or Small())
    return made


def candidates(count=3, seed=0, **changes):
    numbers = np.arange(count)
    genotypes = list(Small.genes.sample_many(count, np.random.default_rng(seed)))
    return Candidates(numbers, 10 + numbers, numbers, 9, genotypes, **changes)


@pytest.fixture(scope="module")
def trained():
    return evaluator()


class TestSupernet(EvaluatorConformance):
    tolerance = 1e-5

    @pytest.fixture
    def space(self):
        return Small()

    @pytest.fixture
    def evaluator(self, trained):
        return trained


class TestFineTuned(TestSupernet):
    @pytest.fixture
    def evaluator(self, trained):
        tuning = Supernet(training=TRAINING, fine_tune=0.5)
        tuning.bank = trained.bank  # of the same space
        return tuning


def test_inherited_weights_are_scored_as_they_are(trained):
    results = trained.evaluate(candidates())
    assert (results.metrics["inherited_accuracy"] == results.metrics["val_accuracy"]).all()
    assert (results.metrics["inherited_accuracy"] > 0.3).all()  # a guess: 0.1
    assert (results.metrics["inherited_share"] == 1).all()
    assert set(results.metrics) == set(trained.metrics) <= set(Supernet.metrics)
    seeds = candidates()
    other = trained.evaluate(Candidates(seeds.ids, seeds.evaluation_ids, seeds.seeds + 7, 3, seeds.genotypes))
    assert (other.metrics["val_loss"] == results.metrics["val_loss"]).all()  # nothing is drawn


def test_scores_with_inherited_weights_are_known_beforehand(trained):
    given = candidates(6)
    known = trained.known(given.genotypes, ["inherited_accuracy", "parameters"])
    results = trained.evaluate(given)
    whole = results.metrics["inherited_share"] == 1
    assert whole.any()
    assert known["inherited_accuracy"][whole].tolist() == results.metrics["inherited_accuracy"][whole].tolist()
    assert np.isnan(known["inherited_accuracy"][~whole]).all()
    assert known["parameters"].tolist() == results.metrics["parameters"].tolist()


def test_fine_tuning_goes_on_from_them(trained):
    inherited = trained.evaluate(candidates())
    tuning = evaluator(fine_tune=0.5)
    tuning.bank = trained.bank  # equal seeds give equal ones
    tuned = tuning.evaluate(candidates())
    assert (tuned.metrics["inherited_accuracy"] == inherited.metrics["inherited_accuracy"]).all()
    assert (tuned.metrics["val_loss"] < inherited.metrics["val_loss"]).all()
    shorter = tuning.evaluate(candidates(fidelity=0.1))
    assert (shorter.metrics["val_loss"] != tuned.metrics["val_loss"]).all()


def test_a_bank_from_a_file_gives_the_same(trained, tmp_path):
    path = tmp_path / "bank.safetensors"
    trained.bank.save(path)
    read = evaluator(file=path)
    assert "bank" in read.contents() and "bank" not in trained.contents()
    first, again = (one.evaluate(candidates()).metrics for one in (trained, read))
    assert all((first[name] == again[name]).all() for name in first if not Supernet.metrics[name].time)


def test_files_that_are_no_bank_of_the_space_are_refused(trained, tmp_path):
    path = tmp_path / "bank.safetensors"
    with pytest.raises(ValueError, match=r"missing or damaged .*train one: python scripts/supernet.py"):
        evaluator(file=path)
    path.write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="missing or damaged"):
        evaluator(file=path)
    trained.bank.save(path)
    with pytest.raises(ValueError, match=r"expected a bank of this space, but it has \d% of its networks' parameters"):
        evaluator(GroupedMLP(), file=path)
    trained.bank.tensors["stem(Linear).bias"], kept = (
        torch.nn.Parameter(torch.zeros(2, 2)),
        trained.bank.tensors["stem(Linear).bias"],
    )
    trained.bank.save(path)
    trained.bank.tensors["stem(Linear).bias"] = kept
    with pytest.raises(ValueError, match=r"file: .*does not fit this space: stem\(Linear\).bias has 2 axes"):
        evaluator(file=path)


def test_what_cannot_be_built_is_invalid(trained):
    class Narrow(Small):
        def build(self, genotype, task):
            if genotype["width"] > 8:
                raise Invalid("too wide")
            return super().build(genotype, task)

    for share in (0.0, 0.1):
        judge = evaluator(Narrow(), fine_tune=share)
        judge.bank = trained.bank
        batch = candidates()
        for genotype, width in zip(batch.genotypes, (8, 16, 8), strict=True):
            genotype["width"] = width
        results = judge.evaluate(batch)
        rows = dict(zip(results.evaluation_ids.tolist(), results.status.tolist(), strict=True))
        widths = [genotype["width"] for genotype in batch.genotypes]
        assert [rows[10 + row] for row in range(3)] == [Status.OK if one == 8 else Status.INVALID for one in widths]


def test_a_bank_is_trained_ahead_into_a_file(tmp_path, monkeypatch, capsys):
    run_file, path = tmp_path / "run.yaml", tmp_path / "bank.safetensors"
    run_file.write_text(RUN_FILE)
    monkeypatch.setattr(sys, "argv", ["supernet.py", str(run_file), str(path)])
    assert supernet.main() == 0
    assert f"{path}: " in capsys.readouterr().out
    run_file.write_text(RUN_FILE.replace("bank: {epochs: 2, networks: 3}", f"file: {path.name}"))
    run = qd.run(run_file, out=tmp_path / "run")
    elites = run.elites()
    run.close()
    assert len(elites) > 0
    assert (elites["inherited_share"].to_numpy() > 0).all()


def test_shares_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"fine_tune: expected a share in \[0, 1\], got 1.5"):
        Supernet(fine_tune=1.5)
