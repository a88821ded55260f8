"""What is remembered of the inputs that a module was trained on: enough to say how typical others are."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .stitch import make_stitch

DIMENSIONS = 16
"""Of the random projection."""
LARGEST_INPUT = 2**26
"""Numbers in what goes into a module or comes out of it."""
RIDGE = 1e-3
"""Added to the covariance's diagonal, as a share of its mean: few examples leave directions without any spread."""


@dataclass(frozen=True)
class InputStatistics:
    """A Gaussian over random projections of a module's inputs, after PICLE (Valkov et al., arXiv 2306.06545).

    Args:
        shape: of one input, (C, H, W) or (C,).
        mean: (DIMENSIONS,), of the projections.
        covariance: (DIMENSIONS, DIMENSIONS).
        channel_mean: (C,), of the inputs themselves.
        channel_deviation: (C,).
        low: least value seen.
        high: greatest value seen.
    """

    shape: tuple[int, ...]
    mean: list[float]
    covariance: list[list[float]]
    channel_mean: list[float]
    channel_deviation: list[float]
    low: float
    high: float

    @classmethod
    def of(cls, inputs: Tensor) -> InputStatistics:
        """Those of inputs (B, C, ...), of two examples at least."""
        projected = _projected(inputs, tuple(inputs.shape[1:]))
        channels = inputs.movedim(1, 0).flatten(1).double()
        return cls(
            shape=tuple(inputs.shape[1:]),
            mean=projected.mean(0).tolist(),
            covariance=np.cov(projected, rowvar=False).tolist(),
            channel_mean=channels.mean(1).tolist(),
            channel_deviation=channels.std(1).tolist(),
            low=float(inputs.min()),
            high=float(inputs.max()),
        )

    def check(self) -> None:
        """Raise `ValueError` where these cannot be statistics of any inputs."""
        channels = self.shape[0] if self.shape else 0
        sizes = [np.shape(self.mean), len(self.covariance), {len(row) for row in self.covariance}]
        if sizes != [(DIMENSIONS,), DIMENSIONS, {DIMENSIONS}]:
            raise ValueError(f"statistics: expected mean and covariance of {DIMENSIONS} dimensions")
        if not channels or {len(self.channel_mean), len(self.channel_deviation)} != {channels}:
            raise ValueError(f"statistics: expected a mean and a deviation for each of {channels} channels")
        if min(self.shape) < 1 or math.prod(self.shape) > LARGEST_INPUT:
            raise ValueError(f"statistics: expected a shape of at most {LARGEST_INPUT:,} numbers, got {self.shape}")
        spread = np.abs(self.covariance).max()
        if np.linalg.eigvalsh(self.covariance).min() < -1e-6 * spread or not self.low <= self.high:
            raise ValueError("statistics: expected a covariance, and a range from low to high")

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "shape": list(self.shape)}

    def log_likelihood(self, inputs: Tensor) -> float:
        """Mean log-likelihood of the projection of an input, over inputs (B, *any shape), in nats.

        Inputs of another shape are made to fit as the stitch `none` does.
        """
        covariance = np.array(self.covariance)
        covariance += RIDGE * max(float(np.trace(covariance)) / DIMENSIONS, 1e-6) * np.eye(DIMENSIONS)
        centred = _projected(inputs, self.shape) - np.array(self.mean)
        distances = np.einsum("bi,ij,bj->b", centred, np.linalg.inv(covariance), centred)
        constant = np.linalg.slogdet(covariance)[1] + DIMENSIONS * math.log(2 * math.pi)
        return float(-(distances.mean() + constant) / 2)

    def draw(self, examples: int, seed: int) -> Tensor:
        """Draw inputs (examples, *shape), channel by channel, within the range that was seen."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((examples, *self.shape), generator=generator, dtype=torch.float32)
        per_channel = (-1, *[1] * (len(self.shape) - 1))
        deviation = torch.tensor(self.channel_deviation, dtype=torch.float32).reshape(per_channel)
        return (torch.tensor(self.channel_mean, dtype=torch.float32).reshape(per_channel) + deviation * noise).clamp(
            self.low, self.high
        )


@torch.no_grad()
def _projected(inputs: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """(B, DIMENSIONS) float64: random projections, the same for all inputs that are read as one shape."""
    fitted = make_stitch("none", tuple(inputs.shape[1:]), shape)(inputs)
    flat = nn.Flatten()(fitted).double().numpy(force=True)
    projection = np.random.default_rng(flat.shape[1]).normal(size=(flat.shape[1], DIMENSIONS))
    return flat @ projection / math.sqrt(flat.shape[1])
