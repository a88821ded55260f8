"""Attention whose weights pass learnt functions.

Axes: B examples, H heads, T steps, M harmonics, R rank, C units of a head, W width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .shares import ATTENTION


class KarAt(ShelfModule):
    """Kolmogorov-Arnold attention, with Fourier functions of low rank (KArAt, Maity et al., arXiv 2503.10632).

    Of every row of attention weights, after the softmax, learnt functions make a new row: W Φ(row) with Φ_p = Σ_q Σ_m
    a_pqm cos(m row_q) + b_pqm sin(m row_q), m from 1 to `harmonics` (1 to 11 there), p from 1 to `rank` (12 there), and
    q all steps. The new row is not made to add up to 1. The functions belong to places, so the number of steps is
    fixed, and a step's new row reads the whole of its old one: it is not causal.

    `shared`: whether all heads have the same functions (there, whether all layers do). Deviations: no bias, no dropout;
    initial weights are torch's, with which rows start small (those of the paper are not verified).

    Metric: `attention_share`.
    """

    ports = ("tokens",)
    causal = False
    genes = Struct(
        heads=Choice(1, 2, 4), rank=Choice(4, 8, 12), harmonics=Choice(1, 2, 4, 8), shared=Choice(True, False)
    )
    metrics = ATTENTION

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return FourierAttention(port, **genes)


class FourierAttention(nn.Module):
    """(B, T, W) to itself.

    Args:
        port: of tokens.
        heads: H.
        rank: R.
        harmonics: M.
        shared: whether heads share functions.
    """

    def __init__(self, port: Port, heads: int, rank: int, harmonics: int, shared: bool) -> None:
        super().__init__()
        (steps,) = port.size
        self.norm = nn.LayerNorm(port.width)
        self.queries_keys_values = nn.Linear(port.width, 3 * port.width, bias=False)
        self.out = nn.Linear(port.width, port.width, bias=False)
        owners = 1 if shared else heads
        self.functions = nn.Parameter(uniform(owners, 2 * harmonics * steps, rank))
        self.expand = nn.Parameter(uniform(owners, rank, steps))
        self.heads, self.harmonics = heads, harmonics

    def forward(self, x_BTW: Tensor) -> Tensor:
        q_BHTC, k_BHTC, v_BHTC = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in self.queries_keys_values(self.norm(x_BTW)).chunk(3, -1)
        )
        rows_BHTT = (q_BHTC @ k_BHTC.mT / math.sqrt(q_BHTC.shape[-1])).softmax(-1)
        waves_BHTV = torch.cat([wave for m in range(1, self.harmonics + 1) for wave in sine(m * rows_BHTT)], -1)
        new_BHTT = waves_BHTV @ self.functions @ self.expand
        return x_BTW + self.out((new_BHTT @ v_BHTC).transpose(-3, -2).flatten(-2))

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Every step attends."""
        return {"attention_share": x_BTW.new_ones(())}


def sine(x: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine."""
    return x.cos(), x.sin()


def uniform(*shape: int) -> Tensor:
    """As torch starts the weights of linear maps: within ±1/√inputs, which are the last axis but one."""
    return torch.empty(shape).uniform_(-1, 1) / math.sqrt(shape[-2])
