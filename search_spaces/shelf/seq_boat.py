"""A state space everywhere, and attention at the steps that ask for it.

Axes: B examples, T steps, W width, N states of a unit, Z units of a query, H units of a value.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Real, Struct
from .base import Port, ShelfModule
from .shares import ACTIVE, ACTIVE_ELSEWHERE, ATTENTION
from .state_space import DampedAverages
from .windows import WindowAttention


class SeqBoat(ShelfModule):
    """SeqBoat (Ren et al., "Sparse modular activation", arXiv 2306.11197): a gate asks for attention, step by step.

    m = SiLU(damped averages of the normalised input) is mapped to the gate's scores u and to s. With
    p = softmax(u/τ), τ learnt, a step is active where the second score is the greater. A gated attention unit runs on
    the active steps alone, packed side by side, in local windows; the output is SiLU(s + p·active·unit(m) + x). As in
    the paper there is no straight-through gradient and no loss for sparsity: the gate learns through p of active steps
    alone. What a search counts of the unit is its cost times the share of active steps.

    Deviations: averages run forwards in time alone; a window is at most as long as the sequence; shapes are static, so
    that training saves no time. How queries, keys and biases start is as in Mega (N(0, 0.02)), which is not verified.
    """

    ports = ("tokens",)
    genes = Struct(
        states=Choice(2, 4, 8, 16),
        queries=Choice(16, 32, 64, 96),
        values=Choice(1, 2),
        window=Choice(16, 32, 64, 128),
        temperature=Real(0.3, 1.0),
        weights=Choice("softmax", "squared relu"),
        bias=Choice("learnt", "rotary"),
    )
    routes = True
    metrics = ACTIVE | ATTENTION
    elsewhere = ACTIVE_ELSEWHERE

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        attention = WindowAttention(port, genes["queries"], genes["window"], genes["weights"], genes["bias"])
        unit = GatedUnit(port.width, genes["queries"], genes["values"] * port.width, attention)
        return SeqBoatLayer(port, genes["states"], genes["temperature"], unit)


class SeqBoatLayer(nn.Module):
    """(B, T, W) to itself; a routed module (see `qd.metrics.routing`) with two experts, the unit and nothing.

    Args:
        port: of tokens.
        states: of each unit's averages.
        temperature: where τ starts, times √W.
        unit: (m, active steps) to (B, T, W).
    """

    def __init__(self, port: Port, states: int, temperature: float, unit: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.averages = DampedAverages(port, states)
        self.into = small(nn.Linear(port.width, 2 + port.width))
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature * math.sqrt(port.width))))
        self.experts = nn.ModuleList([unit, nn.Identity()])

    def forward(self, x_BTW: Tensor) -> Tensor:
        m_BTW, scores_BT2, s_BTW = self._prepared(x_BTW)
        gate_BT1 = self.gates(scores_BT2)[..., :1]
        attended_BTW = self.experts[0](m_BTW, gate_BT1[..., 0] > 0)
        return nn.functional.silu(s_BTW + gate_BT1 * attended_BTW + x_BTW)

    def gates(self, scores_BT2: Tensor) -> Tensor:
        """(B, T, 2): the probability of the unit and of nothing, whichever is chosen; the other is 0."""
        off_BT, on_BT = (scores_BT2 / self.log_temperature.exp()).softmax(-1).unbind(-1)
        active_BT = scores_BT2[..., 1] > scores_BT2[..., 0]
        return torch.stack([on_BT * active_BT, off_BT * ~active_BT], -1)

    def route(self, x_BTW: Tensor) -> Tensor:
        """(B·T, 2): the gates of every step."""
        return self.gates(self._prepared(x_BTW)[1]).flatten(0, 1)

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """The share of steps that are active."""
        share = (self.route(x_BTW)[:, 0] > 0).to(x_BTW.dtype).mean()
        return {"active_share": share, "attention_share": share}

    def _prepared(self, x_BTW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        m_BTW = nn.functional.silu(self.averages(self.norm(x_BTW)))
        scores_BT2, s_BTW = self.into(m_BTW).split([2, x_BTW.shape[-1]], -1)
        return m_BTW, scores_BT2, s_BTW


class GatedUnit(nn.Module):
    """The gated attention unit (FLASH, Hua et al., arXiv 2202.10447; as in Mega) over active steps alone.

    Args:
        width: W.
        queries: Z.
        values: H.
        attention: of packed queries, keys and values.
    """

    def __init__(self, width: int, queries: int, values: int, attention: WindowAttention) -> None:
        super().__init__()
        self.sizes = [queries, values, values]
        self.into = small(nn.Linear(width, sum(self.sizes)))
        self.scale = nn.Parameter(0.02 * torch.randn(2, queries))
        self.shift = nn.Parameter(torch.zeros(2, queries))
        self.attention = attention
        self.out = small(nn.Linear(values, width))

    def forward(self, m_BTW: Tensor, active_BT: Tensor) -> Tensor:
        """(B, T, W); what it gives for steps that are not active means nothing."""
        z_BTZ, r_BTH, v_BTH = nn.functional.silu(self.into(m_BTW)).split(self.sizes, -1)
        q_BTZ, k_BTZ = (z_BTZ * self.scale[one] + self.shift[one] for one in range(2))
        return self.out(r_BTH * self.attention(q_BTZ, k_BTZ, v_BTH, active_BT))


def small(linear: nn.Linear) -> nn.Linear:
    """The same, with weights from a truncated N(0, 0.02) and no bias at the start."""
    nn.init.trunc_normal_(linear.weight, std=0.02)
    nn.init.zeros_(linear.bias)
    return linear
