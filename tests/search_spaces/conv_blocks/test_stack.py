import numpy as np
import pytest
import torch

from qd.testing import StackConformance
from qd.testing.stacks import make_stack
from search_spaces import Task
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.task import Classes, Image


class TestConvBlocksStack(StackConformance):
    samples = 6
    steps = 50

    @pytest.fixture
    def space(self):
        return ConvBlocks()

    @pytest.fixture
    def task(self):
        return Task(Image(2, 13, 22), Classes(5))  # maps of 3 x 5 pixels: odd ones are left over where they are pooled


def test_kernel_and_plain_torch_agree():
    space, rng = ConvBlocks(), np.random.default_rng(1)
    stack, _ = make_stack(space, [space.genes.sample(rng) for _ in range(6)], Task(Image(1, 28, 28), Classes(10)))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 1, 28, 28, generator=generator, dtype=torch.float64)
    x[3] = 0
    weight = torch.randn(6, 9, 10, generator=generator, dtype=torch.float64)
    stack.after_step(2, 10)
    found = []
    for forward in (stack.forward, stack.forward_by_torch):
        outputs = forward(x)
        (gradient,) = torch.autograd.grad((outputs * weight).sum(), [stack.parameters_P])
        found.append((outputs.detach(), gradient))
    for kernel, plain in zip(*found, strict=True):
        np.testing.assert_allclose(kernel, plain, rtol=1e-9, atol=1e-11)
