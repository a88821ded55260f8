"""Adam and AdamW over a flat buffer as one Triton kernel; only imported where there is a GPU."""

from __future__ import annotations

from typing import Any

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import Tensor

BLOCK = 1024
"""Parameters that one program updates."""


def adam(
    parameters: tuple[Tensor, ...],
    tables: tuple[Tensor, ...],
    number: Tensor,
    betas: tuple[float, float],
    epsilon: float,
    decays: bool,
    decoupled: bool,
) -> None:
    """Take one step; `FlatOptimiser.step_in_torch` says the same in torch.

    Args:
        parameters: values, gradients, first and second moments, and owners, (P,) each.
        tables: rates and decays (K,); factors, and bias corrections of both moments, (steps,).
        number: (1,) int64 on the device, of the step.
        betas: of the moments.
        epsilon: added to what is divided by.
        decays: whether any network has weight decay.
        decoupled: whether it is AdamW's.
    """
    size = parameters[0].numel()
    kernel: Any = _adam
    kernel[(triton.cdiv(size, BLOCK),)](
        *parameters, *tables, number, size,
        FIRST_SHARE=1 - betas[0], SECOND_KEPT=betas[1], SECOND_SHARE=1 - betas[1], EPSILON=epsilon,
        DECAYS=decays, DECOUPLED=decoupled, BLOCK=BLOCK,
    )  # fmt: skip


@triton.jit  # numbers that are constants keep their precision: those that are arguments become float32
def _adam(
    values, gradients, firsts, seconds, owners,
    rates, decays, factors, first_biases, second_biases,
    number, size,
    FIRST_SHARE: tl.constexpr, SECOND_KEPT: tl.constexpr, SECOND_SHARE: tl.constexpr, EPSILON: tl.constexpr,
    DECAYS: tl.constexpr, DECOUPLED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    step = tl.load(number)
    owner = tl.load(owners + place, mask=inside, other=0)
    rate = tl.load(rates + owner, mask=inside, other=0.0) * tl.load(factors + step)
    value = tl.load(values + place, mask=inside, other=0.0)
    gradient = tl.load(gradients + place, mask=inside, other=0.0)
    if DECAYS:
        decay = tl.load(decays + owner, mask=inside, other=0.0)
        if DECOUPLED:
            value = value * (1 - rate * decay)
        else:
            gradient = gradient + decay * value
    first = tl.load(firsts + place, mask=inside, other=0.0)
    second = tl.load(seconds + place, mask=inside, other=0.0)
    first = first + FIRST_SHARE * (gradient - first)
    second = second * SECOND_KEPT + SECOND_SHARE * gradient * gradient
    spread = tl.sqrt(second) / tl.load(second_biases + step) + EPSILON
    value = value - rate / tl.load(first_biases + step) * first / spread
    tl.store(values + place, value, mask=inside)
    tl.store(firsts + place, first, mask=inside)
    tl.store(seconds + place, second, mask=inside)
