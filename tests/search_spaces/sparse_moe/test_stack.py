import pytest
import torch

from qd.testing import StackConformance
from qd.testing.stacks import assert_close, make_stack
from qd.training import TrainingOptions, train_alone, train_stack
from search_spaces import Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image, NextToken, Tokens

TASK = Task(Image(1, 8, 8), Classes(5))


class TestSparseMoEStack(StackConformance):
    @pytest.fixture
    def space(self):
        return SparseMoE(balance=0.1)


class TestStacksOfTexts(StackConformance):
    """Classes of texts: some have no token at all, as inputs of zeros."""

    samples, steps = 4, 20

    @pytest.fixture
    def space(self):
        return SparseMoE(balance=0.1)

    @pytest.fixture
    def task(self):
        return Task(Tokens(9, 12), Classes(3))


class TestStacksOfNextTokens(TestStacksOfTexts):
    @pytest.fixture
    def task(self):
        return Task(Tokens(9, 12), NextToken(12))


def test_dead_units_and_tied_routers_train_as_alone():
    space = SparseMoE(balance=0.1)
    layers = [
        {"kind": "moe", "experts": [8, 20, 9], "top_k": top_k, "residual": residual}
        for top_k, residual in [(1, True), (2, False), (2, True)]
    ]
    genotypes = [{"width": 12, "activation": "relu", "layers": layers[:depth]} for depth in (3, 1, 2)]
    stack, networks = make_stack(space, genotypes, TASK)
    for index, network in enumerate(networks):
        with torch.no_grad():
            # no unit of the stem ever fires, so that every score of the first router is 0
            network.get_parameter("stem.bias").fill_(-100)
        stack.load(index, network.state_dict())
    inputs, targets = torch.randn(100, 1, 8, 8, dtype=torch.float64), torch.randint(0, 5, (100,))
    options = TrainingOptions(25, 25, learning_rate=0.003)
    train_stack(stack, inputs, targets, [options] * 3, "cross_entropy", shared_seed=1)
    for index, network in enumerate(networks):
        train_alone(network, inputs, targets, options, "cross_entropy", shared_seed=1)
        assert_close(stack.unstack(index), network.state_dict(), 1e-9)
