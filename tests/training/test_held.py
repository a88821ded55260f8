"""Networks that have slices of a bank give it their gradients, in a stack as by themselves."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from qd.training import Bank, build_seeded
from qd.training.held import hold
from qd.training.losses import Objective, auxiliary_loss
from search_spaces import Task
from search_spaces.chain import Chain
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.shelf.dense import Dense
from search_spaces.shelf.mixture import Mixture
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

TASK = Task(Vector(8), Classes(3))


class Alone(SparseMoE):
    """Without stacks."""

    def stack_signature(self, genotype):
        return None


def networks(space, count=3):
    genotypes = space.genes.sample_many(20, np.random.default_rng(0))
    first = space.stack_signature(genotypes[0])
    genotypes = [one for one in genotypes if space.stack_signature(one) == first][:count]
    return [(one, build_seeded(lambda one=one: space.build(one, TASK), row)) for row, one in enumerate(genotypes)]


@pytest.mark.parametrize(
    ("space", "modules"),
    [(SparseMoE(), 1), (Chain("vector", (Dense(), Mixture()), (8, 16)), 1), (GroupedMLP(), 1), (Alone(), 3)],
)
def test_gradients_are_those_of_networks_by_themselves(space, modules):
    bank, given, objective = Bank(), networks(space), Objective("cross_entropy")
    x = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(12) % 3
    held = hold(bank, space, TASK, given, x, np.random.default_rng(0))
    assert len(held) == modules
    for one in held:
        one.load(bank)
        one.loss(objective, x, targets).backward()
        one.give_gradients(bank)
    found = {key: tensor.grad for key, tensor in bank.tensors.items()}

    expected = Bank({key: tensor.detach().clone() for key, tensor in bank.tensors.items()})
    places = [place for one in held for place in one.places]  # of one stack, or of single networks in order
    for (genotype, _), place in zip(given, places, strict=True):
        fresh = build_seeded(lambda one=genotype: space.build(one, TASK), 0)
        views = {name: expected.tensors[one.key][one.part] for name, one in place.items()}
        loss = objective.alone(functional_call(fresh, views, (x,)), targets)
        own = auxiliary_loss(fresh)
        (loss if own is None else loss + own).backward()
    for key, tensor in expected.tensors.items():
        gradient, wanted = found[key], tensor.grad
        assert (gradient is None) == (wanted is None), key
        if gradient is not None and wanted is not None:
            torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)
