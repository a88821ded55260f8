"""Flat buffers, and the optimisers over them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qd.training import TrainingOptions
from qd.training.flat import FlatParameters
from qd.training.flat_optimiser import FlatOptimiser
from qd.training.optimiser import make_optimiser, set_learning_rates

STEPS = 12


def owned() -> list[tuple[nn.Parameter, list[int]]]:
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((3, 5), (9,), (3, 2, 2))]
    rows = [[0, 1, 2], [0, 0, 1, 1, 1, 1, 2, 2, 2], [0, 1, 2]]
    return [(nn.Parameter(tensor), of) for tensor, of in zip(tensors, rows, strict=True)]


def options(kind: Any) -> list[TrainingOptions]:
    return [
        TrainingOptions(optimiser=kind, learning_rate=0.01 * (network + 1), weight_decay=0.1 * network)
        for network in range(3)
    ]


def gradients(flat: FlatParameters) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(flat.values.shape, generator=generator, dtype=torch.float64) for _ in range(STEPS)]


def test_parameters_and_gradients_become_views() -> None:
    parameters = owned()
    before = [tensor.detach().clone() for tensor, _ in parameters]
    flat = FlatParameters(parameters)
    for (tensor, _), values in zip(parameters, before, strict=True):
        assert torch.equal(tensor, values)
    counts = [(0, 5), (1, 5), (2, 5), (0, 2), (1, 4), (2, 3), (0, 4), (1, 4), (2, 4)]
    assert flat.owner.tolist() == [network for network, count in counts for _ in range(count)]
    torch.stack([(tensor**2).sum() for tensor, _ in parameters]).sum().backward()
    assert torch.equal(flat.gradients, 2 * flat.values)
    flat.values.zero_()
    assert all(not tensor.any() for tensor, _ in parameters)


def test_what_cannot_lie_in_one_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"types torch\.float32, torch\.float64 cannot lie in one buffer"):
        FlatParameters([(nn.Parameter(torch.zeros(1, dtype=kind)), [0]) for kind in (torch.float32, torch.float64)])
    with pytest.raises(ValueError, match=r"types torch\.complex64 cannot"):
        FlatParameters([(nn.Parameter(torch.zeros(1, dtype=torch.complex64)), [0])])


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("done", [0, 5])
def test_takes_the_steps_of_torchs_own(kind: str, done: int) -> None:
    mine, theirs = owned(), owned()
    flat = FlatParameters(mine)
    optimiser = FlatOptimiser(flat, options(kind), STEPS, done)
    torchs = make_optimiser(theirs, options(kind))
    for step, gradient in list(enumerate(gradients(flat)))[done:]:
        flat.gradients.copy_(gradient)
        optimiser.step(torch.tensor([step]))
        set_learning_rates(torchs, step, STEPS)
        start = 0
        for tensor, _ in theirs:
            assert tensor.grad is not None
            tensor.grad.copy_(gradient[start : start + tensor.numel()].view(tensor.shape))
            start += tensor.numel()
        torchs.step()
    expected = torch.cat([tensor.detach().reshape(-1) for tensor, _ in theirs])
    torch.testing.assert_close(flat.values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_the_kernel_takes_the_same_steps(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Triton's interpreter runs the kernel on the CPU. Triton comes with torch for GPUs alone, so that this test runs
    # where it was installed by hand.
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    pytest.importorskip("triton")
    from qd.training.flat_kernel import adam

    flat, twin = FlatParameters(owned()), FlatParameters(owned())
    by_kernel, by_torch = (FlatOptimiser(one, options(kind), STEPS) for one in (flat, twin))
    for step, gradient in enumerate(gradients(flat)):
        flat.gradients.copy_(gradient)
        twin.gradients.copy_(gradient)
        by_kernel.step_by(adam, torch.tensor([step]))
        by_torch.step_in_torch(torch.tensor([step]))
    torch.testing.assert_close(flat.values, twin.values, rtol=1e-12, atol=1e-12)
