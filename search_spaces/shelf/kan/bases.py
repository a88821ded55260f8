"""Families of functions that the edges of a Kolmogorov–Arnold layer are sums of.

Each takes u in (-1, 1), of any shape, and gives its functions' values on a new last axis, C.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Basis(nn.Module, ABC):
    """`count` functions of u in (-1, 1)."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    @abstractmethod
    def forward(self, u: Tensor) -> Tensor:
        """(...) → (..., C)."""

    def extra_repr(self) -> str:
        return str(self.count)


class Spline(Basis):
    """B-splines of an order (degree) over `count` - order equal intervals of [-1, 1]; they add up to 1.

    As powers of what is left of a hat around each spline's centre, in units of an interval:
    B(u) = Σ_j (-1)^j binomial(k + 1, j) max(0, (k + 1)/2 - j - |u|)^k / k!, j up to (k + 1)/2.
    """

    centres: Tensor

    def __init__(self, count: int, order: int) -> None:
        super().__init__(count)
        self.intervals, self.order = count - order, order
        places = torch.arange(count, dtype=torch.float64) - (order - 1) / 2  # in intervals, from -1
        self.register_buffer("centres", places.float(), persistent=False)

    def forward(self, u: Tensor) -> Tensor:
        distance = ((u[..., None] + 1) * (self.intervals / 2) - self.centres).abs()
        half = (self.order + 1) / 2
        terms = [
            (-1) ** j * math.comb(self.order + 1, j) / math.factorial(self.order) * _power(half - j - distance, self)
            for j in range(math.ceil(half))
        ]
        return torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]


def _power(base: Tensor, spline: Spline) -> Tensor:
    """max(0, base)^order, as products: they are much faster than powers."""
    kept = torch.relu(base)
    power = kept
    for _ in range(spline.order - 1):
        power = power * kept
    return power


class Fourier(Basis):
    """The first of cos πu, sin πu, cos 2πu, sin 2πu, ..."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, count: int) -> None:
        super().__init__(count)
        places = torch.arange(count)
        self.register_buffer("frequencies", torch.pi * (places // 2 + 1).float(), persistent=False)
        self.register_buffer("phases", torch.pi / 2 * (places % 2).float(), persistent=False)

    def forward(self, u: Tensor) -> Tensor:
        return torch.cos(u[..., None] * self.frequencies - self.phases)


class Chebyshev(Basis):
    """Polynomials T_1 to T_count, by T_n = 2u T_(n-1) - T_(n-2)."""

    def forward(self, u: Tensor) -> Tensor:
        found = [torch.ones_like(u), u]
        while len(found) <= self.count:
            found.append(2 * u * found[-1] - found[-2])
        return torch.stack(found[1:], -1)


class Wavelet(Basis):
    """Mexican hats (1 - z²) exp(-z²/2), as many and as narrow again at each level: 1, 2, 4, ...; `count` is 2^L - 1."""

    centres: Tensor
    scales: Tensor

    def __init__(self, count: int) -> None:
        super().__init__(count)
        levels = (count + 1).bit_length() - 1
        spread = [torch.arange(1, 2 ** (level + 1), 2) / 2**level - 1 for level in range(levels)]
        widths = [torch.full((2**level,), 2.0 ** (level + 1)) for level in range(levels)]
        self.register_buffer("centres", torch.cat(spread), persistent=False)
        self.register_buffer("scales", torch.cat(widths), persistent=False)

    def forward(self, u: Tensor) -> Tensor:
        squares = ((u[..., None] - self.centres) * self.scales).square()
        return (1 - squares) * torch.exp(-squares / 2)
