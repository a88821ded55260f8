"""The example of docs/several_cards.md: a search whose networks two processes train as one does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from safetensors.torch import load_file

import qd
from evaluators.data.digits import Digits
from evaluators.data.split import Split
from evaluators.supervised import Supervised
from qd.errors import UsageError
from qd.testing.stacks import assert_close
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces.conv_blocks import ConvBlocks

PAGE = (Path(__file__).resolve().parents[1] / "docs/several_cards.md").read_text()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's run file, beside its plug-in."""
    monkeypatch.chdir(tmp_path)
    for name, code in re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        Path(name).write_text(code)
    return tmp_path / "run.yaml"


@pytest.mark.slow
def test_two_processes_train_as_one_does(file: Path) -> None:
    run = qd.run(file, out="out", budget={"evaluations": 2})
    assert run.summary()["evaluations"]["ok"] == 2
    options, space = TrainingOptions(epochs=2, batch_size=50), ConvBlocks()
    data = Digits(split=Split(train=400))
    one = Supervised(data, options)
    inputs, targets = one.training_examples
    compared = 0
    for weights in Path("out/weights").iterdir():
        [(candidate, seed, shared)] = run.query(
            "SELECT candidate, seed, shared_seed FROM evaluations WHERE id = ?", [int(weights.stem)]
        )
        genotype = run.genotypes([candidate])[candidate]
        network = build_seeded(lambda genotype=genotype: space.build(genotype, data.task), seed)
        train_alone(network, inputs, targets, options, "cross_entropy", shared, seed=seed)
        assert_close(load_file(weights), network.state_dict(), 1e-3)  # in single precision
        compared += 1
    assert compared


def test_a_batch_that_cannot_be_cut_evenly_is_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="batch_size: expected a multiple of cards=3, got 50"):
        qd.run(file, out="out", overrides=["evaluator.cards=3"])
