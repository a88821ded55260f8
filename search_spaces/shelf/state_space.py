"""A linear state space: damped moving averages of every unit.

Axes: B examples, T and S steps, W width, N states of a unit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule


class StateSpace(ShelfModule):
    """The multi-dimensional damped moving average of Mega (Ma et al., arXiv 2209.10655), by itself.

    Each unit has `states` averages that forget at rates of their own; their sum goes through SiLU and a linear map.
    Deviations: the linear map and the residual connection around it are ours; it never runs backwards in time; the
    convolution is a product with a Toeplitz matrix, not a Fourier transform, so that every export takes it.
    """

    ports = ("tokens",)
    genes = Struct(states=Choice(2, 4, 8, 16))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return StateSpaceLayer(port, genes["states"])


class StateSpaceLayer(nn.Module):
    """x + linear(SiLU(averages(norm(x)))): (B, T, W) to itself."""

    def __init__(self, port: Port, states: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.averages = DampedAverages(port, states)
        self.out = nn.Linear(port.width, port.width)

    def forward(self, x_BTW: Tensor) -> Tensor:
        return x_BTW + self.out(nn.functional.silu(self.averages(self.norm(x_BTW))))


class DampedAverages(nn.Module):
    """Of each unit a weighted sum of damped moving averages, and of the unit itself: (B, T, W) to itself.

    y_t = Σ_s kernel_(t-s) · x_s + ω · x_t, kernel_t = Σ_n γ_n/√N · p_n · β_n · q_n^t, with p = σ(δ) and
    q = 1 - p·σ(α), each of every unit's own.

    Args:
        port: of tokens; its number of steps is that of every example.
        states: N.
    """

    def __init__(self, port: Port, states: int) -> None:
        super().__init__()
        signs_N = 1.0 - 2.0 * (torch.arange(states) % 2)
        self.delta = nn.Parameter(0.2 * torch.randn(port.width, states))
        self.alpha = nn.Parameter(0.2 * torch.randn(port.width, states))
        self.beta = nn.Parameter(signs_N + 0.02 * torch.randn(port.width, states))
        self.gamma = nn.Parameter(torch.randn(port.width, states))
        self.omega = nn.Parameter(torch.randn(port.width))
        self.steps = port.size[0]

    def kernel(self) -> Tensor:
        """(W, T): what is left of an input after 0 ... T - 1 steps."""
        p_WN = self.delta.sigmoid()
        q_WN = 1 - p_WN * self.alpha.sigmoid()
        start_WN = self.gamma * p_WN * self.beta / self.gamma.shape[-1] ** 0.5
        powers_WNT = q_WN[..., None] ** torch.arange(self.steps, device=q_WN.device)
        return (start_WN[..., None, :] @ powers_WNT).squeeze(-2)

    def forward(self, x_BTW: Tensor) -> Tensor:
        mixed_WBT = x_BTW.permute(2, 0, 1) @ toeplitz(self.kernel())
        return mixed_WBT.permute(1, 2, 0) + x_BTW * self.omega


def toeplitz(kernel_WT: Tensor) -> Tensor:
    """(W, S, T): kernel[w, t - s] where t >= s, else 0."""
    width, steps = kernel_WT.shape
    row_WL = nn.functional.pad(kernel_WT, (0, steps))  # as it goes round, each row starts one later than that above
    rows = row_WL[:, None].expand(width, steps, 2 * steps).flatten(1)[:, : steps * (2 * steps - 1)]
    return rows.unflatten(1, (steps, 2 * steps - 1))[..., :steps]
