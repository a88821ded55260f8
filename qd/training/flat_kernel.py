"""Adam and AdamW over a flat buffer as one Triton kernel; only imported where there is a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import Tensor

from .flat import FlatParameters

if TYPE_CHECKING:
    from .flat_optimiser import FlatOptimiser

BLOCK = 1024
"""Parameters that one program updates."""


def adam(optimiser: FlatOptimiser, flat: FlatParameters, number: Tensor) -> None:
    """Take one step; see `FlatOptimiser.step_in_torch`, which says the same in torch.

    Args:
        optimiser: of kind "adam" or "adamw".
        flat: what is trained.
        number: (1,) int64 on the device, of the step.
    """
    from .flat_optimiser import BETAS, EPSILON

    size = flat.values.numel()
    kernel: Any = _adam
    kernel[(triton.cdiv(size, BLOCK),)](
        flat.values, flat.gradients, optimiser.first, optimiser.second, flat.owner, size,
        optimiser.rate_K, optimiser.decay_K, optimiser.factor_S, optimiser.first_bias_S, optimiser.second_bias_S,
        number, 1 - BETAS[0], BETAS[1], 1 - BETAS[1], EPSILON,
        DECAYS=optimiser.decays, DECOUPLED=optimiser.kind == "adamw", BLOCK=BLOCK,
    )  # fmt: skip


@triton.jit
def _adam(
    values, gradients, firsts, seconds, owners, size,
    rates, decays, factors, first_biases, second_biases, number,
    first_share, second_kept, second_share, epsilon,
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
    first = first + first_share * (gradient - first)
    second = second * second_kept + second_share * gradient * gradient
    spread = tl.sqrt(second) / tl.load(second_biases + step) + epsilon
    value = value - rate / tl.load(first_biases + step) * first / spread
    tl.store(values + place, value, mask=inside)
    tl.store(firsts + place, first, mask=inside)
    tl.store(seconds + place, second, mask=inside)
