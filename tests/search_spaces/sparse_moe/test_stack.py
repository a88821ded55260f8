from typing import Any

import numpy as np
import pytest
import torch

from qd.testing import StackConformance
from qd.testing.stacks import assert_close, make_stack
from qd.training import TrainingOptions, train_alone, train_stack
from search_spaces import Task
from search_spaces.shelf.feed_forward.stack import LayerSpec, MixtureKernel, StackedMixture, mixture
from search_spaces.sparse_moe import SparseMoE

TASK = Task((1, 8, 8), 5)


class TestSparseMoEStack(StackConformance):
    @pytest.fixture
    def space(self):
        return SparseMoE(balance=0.1)


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


def test_kernel_and_plain_torch_agree():
    specs = [
        LayerSpec("", (8, 3, 11), 1, "relu", True, 0.1),
        LayerSpec("", (40,), 0, "tanh", False, 0.0),
        LayerSpec("", (5, 9), 2, "silu", False, 0.3),
        LayerSpec("", (4, 4, 4, 4), 2, "tanh", True, 0.2),
    ]
    stack = StackedMixture(6, specs).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in stack.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    x = torch.randn(4, 30, 6, generator=generator, dtype=torch.float64)
    x[:, ::7] = 0
    weight = torch.randn(4, 30, 6, generator=generator, dtype=torch.float64)
    found: list[Any] = []
    for function in (MixtureKernel.apply, mixture):
        own = [tensor.detach().clone().requires_grad_() for tensor in (x, *stack.parameters())]
        y, loss = function(*own, stack.layout)  # pyright: ignore[reportCallIssue] - the length of `own` is 6
        ((y * weight).sum() + (loss * torch.arange(1, 5)).sum()).backward()
        found.append([y, loss, *(tensor.grad for tensor in own)])
    for kernel, plain in zip(*found, strict=True):
        np.testing.assert_allclose(kernel.detach(), plain.detach(), rtol=1e-10, atol=1e-12)
