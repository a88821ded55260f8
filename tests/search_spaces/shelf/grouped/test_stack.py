from typing import Any

import numpy as np
import torch

from search_spaces.shelf.grouped.stack import GroupKernel, LinkedGroup, StackedGroups, links, merge_runs


def test_kernel_and_plain_torch_agree():
    groups = [
        LinkedGroup(0, "", 7, 4, ((0, 3), (5, 9)), None),
        LinkedGroup(1, "", 0, 7, ((9, 10),), None),
        LinkedGroup(2, "", 11, 1, ((2, 4), (4, 10)), None),
    ]
    layer = StackedGroups(groups).double()
    generator = torch.Generator().manual_seed(0)
    shapes = [(10, 6), layer.weight.shape, layer.bias.shape]
    values = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    weight = torch.randn(12, 6, generator=generator, dtype=torch.float64)
    found: list[Any] = []
    for function in (GroupKernel.apply, links):
        own = [value.clone().requires_grad_() for value in values]
        z = function(*own, layer.layout)  # pyright: ignore[reportCallIssue] - the length of `own` is 3
        (z * weight).sum().backward()
        found.append([z, *(tensor.grad for tensor in own)])
    for kernel, plain in zip(*found, strict=True):
        np.testing.assert_allclose(kernel.detach(), plain.detach(), rtol=1e-12, atol=1e-13)


def test_runs_that_follow_each_other_are_joined():
    assert merge_runs([(0, 3), (3, 5), (7, 8), (2, 4)]) == [(0, 5), (7, 8), (2, 4)]
