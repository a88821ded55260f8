"""Layers of oscillators that find their phases together.

Axes: B examples, T steps, G oscillators, N units of each, W = G · N width, H heads, C units of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..attention import later
from ..base import Port

LEAST = 1e-4
"""Added to squared lengths, whose roots then have a gradient everywhere."""


class Oscillators(nn.Module):
    """(B, T, W) to itself.

    Args:
        port: of tokens.
        units: N.
        times: that phases are updated; another number may be set later.
        coupling: "attention" or "convolution".
        turning: "none", "shared" or "each": rates of pairs of units.
    """

    def __init__(self, port: Port, units: int, times: int, coupling: str, turning: str) -> None:
        super().__init__()
        width = port.width
        self.norm = nn.LayerNorm(width)
        self.drive = nn.Linear(width, width)
        self.start = nn.Parameter(torch.randn(width))
        self.coupling = AttentionCoupling(port) if coupling == "attention" else ConvolutionCoupling(port)
        rates = {"none": 0, "shared": 1, "each": width // 2}[turning]
        self.rates = nn.Parameter(0.1 * torch.randn(rates)) if rates else None
        self.rate = nn.Parameter(torch.ones(()))
        self.read = nn.Linear(width, units * width, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))
        self.units, self.times = units, times

    def forward(self, x_BTW: Tensor) -> Tensor:
        read_BTWN = self.read(self.phases(x_BTW)).unflatten(-1, (-1, self.units))
        return x_BTW + length(read_BTWN).squeeze(-1) + self.bias

    def phases(self, x_BTW: Tensor) -> Tensor:
        """The oscillators after all updates: (B, T, W), every `units` of W of length 1."""
        drive_BTW = self.drive(self.norm(x_BTW))
        phase_BTGN = self._unit(self.start.expand(x_BTW.shape))
        for _ in range(self.times):
            force_BTGN = self._groups(drive_BTW + self.coupling(phase_BTGN.flatten(-2)))
            force_BTGN = force_BTGN - (force_BTGN * phase_BTGN).sum(-1, keepdim=True) * phase_BTGN
            if self.rates is not None:
                force_BTGN = force_BTGN + self._groups(turned(phase_BTGN.flatten(-2), self.rates))
            phase_BTGN = self._unit((phase_BTGN + self.rate * force_BTGN).flatten(-2))
        return phase_BTGN.flatten(-2)

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Whether steps attend, and how far they agree."""
        agreed_BGN = self._groups(self.phases(x_BTW)).mean(-3)
        return {
            "attention_share": x_BTW.new_tensor(float(isinstance(self.coupling, AttentionCoupling))),
            "synchrony": agreed_BGN.norm(dim=-1).mean().clamp(max=1),
        }

    def _groups(self, x_BTW: Tensor) -> Tensor:
        return x_BTW.unflatten(-1, (-1, self.units))

    def _unit(self, x_BTW: Tensor) -> Tensor:
        x_BTGN = self._groups(x_BTW)
        return x_BTGN / length(x_BTGN)


class AttentionCoupling(nn.Module):
    """Softmax attention over steps, without normalisation or residual connection: (B, T, W) to itself."""

    def __init__(self, port: Port) -> None:
        super().__init__()
        self.queries_keys_values = nn.Linear(port.width, 3 * port.width, bias=False)
        self.out = nn.Linear(port.width, port.width, bias=False)
        self.heads = min(8, port.width // 8)
        self.causal = port.causal

    def forward(self, x_BTW: Tensor) -> Tensor:
        q_BHTC, k_BHTC, v_BHTC = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in self.queries_keys_values(x_BTW).chunk(3, -1)
        )
        scores_BHTT = q_BHTC @ k_BHTC.mT / math.sqrt(q_BHTC.shape[-1])
        if self.causal:
            scores_BHTT = scores_BHTT.masked_fill(later(scores_BHTT), -torch.inf)
        return self.out((scores_BHTT.softmax(-1) @ v_BHTC).transpose(-3, -2).flatten(-2))


class ConvolutionCoupling(nn.Module):
    """A convolution over 3 steps, those before where the port is causal: (B, T, W) to itself."""

    def __init__(self, port: Port) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(port.width, port.width, 3, bias=False)
        self.padding = (2, 0) if port.causal else (1, 1)

    def forward(self, x_BTW: Tensor) -> Tensor:
        return self.convolution(nn.functional.pad(x_BTW.mT, self.padding)).mT


def length(x: Tensor) -> Tensor:
    """Of vectors along the last axis, which becomes 1; its gradient is finite at 0."""
    return (x.square().sum(-1, keepdim=True) + LEAST).sqrt()


def turned(x: Tensor, rates: Tensor) -> Tensor:
    """Each pair (a, b) of the last axis to (-b, a) times its rate, or times the one for all."""
    first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([-second * rates, first * rates], -1).flatten(-2)
