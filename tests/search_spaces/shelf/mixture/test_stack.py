from typing import Any

import numpy as np
import torch

from search_spaces.shelf.mixture.stack import LayerSpec, MixtureKernel, StackedMixture, mixture

SPECS = [
    LayerSpec("", (8, 3, 11), 1, "relu", True, 0.1),
    LayerSpec("", (40,), 0, "tanh", False, 0.0),
    LayerSpec("", (5, 9), 2, "silu", False, 0.3),
    LayerSpec("", (4, 4, 4, 4), 2, "tanh", True, 0.2),
]


def filled() -> tuple[StackedMixture, torch.Tensor, torch.Generator]:
    """A stack, and inputs of which some are zeros, at which routers tie."""
    stack = StackedMixture(6, SPECS).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in stack.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    x = torch.randn(4, 30, 6, generator=generator, dtype=torch.float64)
    x[:, ::7] = 0
    return stack, x, generator


def test_kernel_and_plain_torch_agree():
    stack, x, generator = filled()
    weight = torch.randn(4, 30, 6, generator=generator, dtype=torch.float64)
    found: list[Any] = []
    for function in (MixtureKernel.apply, mixture):
        own = [tensor.detach().clone().requires_grad_() for tensor in (x, *stack.parameters())]
        y, loss = function(*own, stack.layout)[:2]  # pyright: ignore[reportCallIssue] - the length of `own` is 6
        ((y * weight).sum() + (loss * torch.arange(1, 5)).sum()).backward()
        found.append([y, loss, *(tensor.grad for tensor in own)])
    for kernel, plain in zip(*found, strict=True):
        np.testing.assert_allclose(kernel.detach(), plain.detach(), rtol=1e-10, atol=1e-12)


def test_gates_of_kernel_and_plain_torch_agree():
    stack, x, _ = filled()
    y, gates = stack.predict(x)
    plain_y, _, plain_gates = mixture(x, *stack.parameters(), stack.layout)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(y, plain_y)
    assert list(gates) == [0, 2, 3]  # the others have no router
    for row, gates_BE in gates.items():
        experts = len(SPECS[row].experts)
        assert gates_BE.shape == (30, experts) and ((gates_BE > 0).sum(1) == SPECS[row].top_k).all()
        assert ((gates_BE > 0) == (plain_gates[row, :, :experts] > 0)).all()
        torch.testing.assert_close(gates_BE, plain_gates[row, :, :experts])
        assert not plain_gates[row, :, experts:].any()
