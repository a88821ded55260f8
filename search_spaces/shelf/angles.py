"""Angles that grow with a position, faster or slower by unit."""

from __future__ import annotations

import torch
from torch import Tensor


def angles(first: int, end: int, units: int) -> Tensor:
    """Of positions from `first` to before `end`, for pairs of units (Vaswani et al., arXiv 1706.03762).

    Args:
        first: may be below 0.
        end: above it.
        units: even.

    Returns:
        (end - first, units / 2) float64, in radians.
    """
    rates = 10_000 ** (-torch.arange(0, units, 2, dtype=torch.float64) / units)
    return torch.arange(first, end, dtype=torch.float64)[:, None] * rates
