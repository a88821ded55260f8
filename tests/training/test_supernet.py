"""A bank is trained by networks that are drawn."""

import numpy as np
import pytest
import torch
from torch import nn

from qd.training import TrainingOptions, build_seeded
from qd.training.bank import Bank, places_of
from qd.training.supernet import BankOptions, measure_statistics, sandwich, train_bank
from search_spaces import Choice, Invalid, Repeat, SearchSpace, Struct, Task, Variant
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

TASK = Task(Vector(6), Classes(3))
OPTIONS = TrainingOptions(1, 20, learning_rate=0.01, clip=1.0)


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


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 6, generator=generator)
    return inputs, (inputs[:, :3] + 0.3 * inputs[:, 3:]).argmax(1)


def trained(space, data, **changes):
    bank = Bank()
    inputs, targets = data
    train_bank(bank, space, TASK, inputs, targets, OPTIONS, BankOptions(**{"epochs": 3, "networks": 3, **changes}))
    return bank


def accuracy(space, bank, genotype, data):
    network = build_seeded(lambda: space.build(genotype, TASK), 5)
    before = float((network(data[0]).argmax(1) == data[1]).double().mean())
    share = bank.inherit(network)
    return before, float((network.eval()(data[0]).argmax(1) == data[1]).double().mean()), share


def test_networks_that_were_never_trained_by_themselves_tell_classes(data):
    space = Small()
    bank = trained(space, data, epochs=12)
    assert max(len(tensor) for key, tensor in bank.tensors.items() if "router" in key) == 4
    found = [accuracy(space, bank, genotype, data) for genotype in space.genes.sample_many(8, np.random.default_rng(1))]
    before, after, shares = (np.array(column) for column in zip(*found, strict=True))
    assert after.mean() > before.mean() + 0.2
    assert shares.min() == 1


def test_equal_seeds_give_equal_banks_and_leave_the_global_generator(data):
    state = torch.get_rng_state()
    first, again, other = (trained(Small(), data, epochs=1, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.tensors.keys() == again.tensors.keys()
    assert all(torch.equal(tensor, again.tensors[key]) for key, tensor in first.tensors.items())
    key = "head(Linear).weight"
    assert not torch.equal(first.tensors[key], other.tensors[key])


def test_largest_and_smallest_networks_are_in_every_step():
    genes = SparseMoE.genes
    rng = np.random.default_rng(0)
    drawn = sandwich(SparseMoE(), 4)(rng)
    assert [len(one["layers"]) for one in drawn[:2]] == [6, 1]
    assert [one["width"] for one in drawn[:2]] == [64, 8]
    for one in drawn:
        genes.validate(one)
    assert [len(sandwich(SparseMoE(), size)(rng)) for size in (1, 2, 3)] == [1, 2, 3]


def test_every_slot_of_the_bank_is_trained_as_late_as_the_first(data):
    """Networks of two experts alone, once the bank has room for eight: without slots at random six would stay."""
    space, bank = SparseMoE(), Bank()

    def genotype(experts):
        return {"width": 8, "activation": "relu", "layers": [
            {"kind": "moe", "experts": [8] * experts, "top_k": 2, "residual": False}]}  # fmt: skip

    largest = build_seeded(lambda: space.build(genotype(8), TASK), 0)
    bank.grow(largest, places_of(largest))
    before = {key: tensor.detach().clone() for key, tensor in bank.tensors.items()}
    inputs, targets = data
    train_bank(bank, space, TASK, inputs, targets, OPTIONS, BankOptions(2, keep=1), lambda rng: [genotype(2)])
    moved = [key for key, tensor in bank.tensors.items() if not torch.equal(tensor, before[key])]
    assert sum("experts" in key and "up(Linear).weight" in key for key in moved) == 8


class Growing(SearchSpace):
    """The first networks are small."""

    genes = Struct(width=Choice(4, 8))

    def build(self, genotype, task):
        if genotype["width"] == 4:
            raise Invalid("too narrow")
        return nn.Sequential(nn.Linear(6, genotype["width"]), nn.BatchNorm1d(genotype["width"]), nn.Linear(8, 3))


def test_what_cannot_be_built_is_drawn_again_and_in_vain_at_last(data):
    bank = trained(Growing(), data, epochs=1)
    assert bank.tensors["0(Linear).weight"].shape == (8, 6)

    class Never(Growing):
        def build(self, genotype, task):
            raise Invalid("never")

    with pytest.raises(ValueError, match=r"none of 100 networks that were drawn is possible \(never\)"):
        trained(Never(), data, epochs=1)


def test_the_optimiser_follows_a_bank_that_grows(data):
    space, steps, bank = SparseMoE(), [], Bank()

    def draw(rng):
        steps.append(0)
        layer = {"kind": "dense", "hidden": 8 * len(steps), "residual": False}
        return [{"width": 8 if len(steps) < 3 else 16, "activation": "relu", "layers": [layer] * (1 + len(steps) // 4)}]

    inputs, targets = data
    train_bank(bank, space, TASK, inputs, targets, OPTIONS, BankOptions(1, keep=1), draw)
    assert len(steps) == 10
    assert bank.tensors["layers(Sequential).0(FeedForward).up(Linear).weight"].shape == (80, 16)
    assert all(tensor.isfinite().all() for tensor in bank.tensors.values())


def test_statistics_of_norms_are_measured_on_training_examples(data):
    network = build_seeded(lambda: Growing().build({"width": 8}, TASK), 0).eval()
    measure_statistics(network, data[0], 200)
    first = network.get_submodule("0")(data[0])
    norm = network.get_submodule("1")
    torch.testing.assert_close(norm.running_mean, first.mean(0))
    torch.testing.assert_close(norm.running_var, first.var(0))
    assert norm.momentum == 0.1 and not norm.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"networks": 0}, "networks: expected"),
        ({"keep": 0}, "keep:"),
        ({"seed": -1}, "seed:"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BankOptions(**options)
