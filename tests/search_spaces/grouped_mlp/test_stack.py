import numpy as np
import pytest
import torch

from qd.testing import StackConformance
from qd.testing.stacks import assert_close, make_stack
from qd.training import TrainingOptions, train_alone, train_stack
from search_spaces import Task
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.task import Classes, Vector


class TestGroupedMLPStack(StackConformance):
    samples = 14
    steps = 60

    @pytest.fixture
    def space(self):
        return GroupedMLP()

    @pytest.fixture
    def genotypes(self, space):
        rng = np.random.default_rng(0)
        found = [space.genes.sample(rng) for _ in range(self.samples)]
        assert {genotype["rewiring"]["kind"] for genotype in found} == {"none", "prune_and_regrow"}
        assert {len(genotype["layers"]) for genotype in found} == {1, 2, 3, 4}
        return found


def test_silent_units_prune_and_regrow_as_alone():
    rewiring = {"kind": "prune_and_regrow", "density": 0.5, "fraction": 0.5}
    layer = [{"width": 6, "activation": "relu", "links": [0, 1, 2]}] * 3
    space, task = GroupedMLP(), Task(Vector(12), Classes(4))
    genotypes = [{"layers": [layer] * depth, "rewiring": rewiring} for depth in (1, 3, 2)]
    stack, networks = make_stack(space, genotypes, task)
    for index, network in enumerate(networks):
        with torch.no_grad():
            network.get_parameter("layers.0.0.bias").fill_(-100)  # never fires: all its gradients tie at 0
        stack.load(index, network.state_dict())
    inputs, targets = torch.randn(100, 12, dtype=torch.float64), torch.randint(0, 4, (100,))
    options = TrainingOptions(10, 10)
    train_stack(stack, inputs, targets, [options] * 3, "cross_entropy", shared_seed=1)
    for index, network in enumerate(networks):
        before = network.get_buffer("layers.0.1.mask").clone()
        train_alone(network, inputs, targets, options, "cross_entropy", shared_seed=1)
        assert not network.get_buffer("layers.0.1.mask").equal(before)
        assert_close(stack.unstack(index), network.state_dict(), 1e-9)
