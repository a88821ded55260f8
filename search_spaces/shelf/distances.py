"""What attention adds to a score for the distance of a key from its query.

Axes: D distances, from -(T - 1) to T - 1, P pairs of units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .angles import angles


class DistanceBias(nn.Module):
    """A learnt number for each distance (as in Mega, Ma et al., arXiv 2209.10655): () to (D,).

    Args:
        steps: T.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.values = nn.Parameter(0.02 * torch.randn(2 * steps - 1))

    def forward(self) -> Tensor:
        return self.values


class RotaryBias(nn.Module):
    """The product of two learnt vectors, one turned by the distance (Mega's rotary bias, not verified): () to (D,).

    Deviation: both vectors start alike, so that the bias starts above 0 nearby, and no squared relu is silent for good.

    Args:
        steps: T.
        units: of the vectors, even.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self, steps: int, units: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter((0.02 * torch.randn(2, units // 2)).repeat(2, 1, 1))
        angles_DP = angles(1 - steps, steps, units)
        self.register_buffer("cosines", angles_DP.cos().float(), persistent=False)
        self.register_buffer("sines", angles_DP.sin().float(), persistent=False)

    def forward(self) -> Tensor:
        (a_P, b_P), (c_P, d_P) = self.vectors[0].unbind(), self.vectors[1].unbind()
        return self.cosines @ (a_P * c_P + b_P * d_P) + self.sines @ (b_P * c_P - a_P * d_P)
