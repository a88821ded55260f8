"""Attention by stick-breaking, with experts of heads.

Axes: B examples, T steps, E experts, K chosen experts of a step, H heads of an expert, C units of a head, A units of an
expert, W width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..attention import Rotary, later
from ..base import Port
from ..mixture import top_k_indices, top_k_mask


class ExpertsOfHeads(nn.Module):
    """(B, T, W) to itself; a routed module, as `qd.metrics.routing` says, each step by itself.

    Args:
        port: of tokens.
        experts: E.
        top_k: K, at most E are chosen.
        units: A, of an expert's queries.
        heads: H, of each expert.
        positions: "stick-breaking" or "rotary".
        balance: weight of the loss that spreads steps over experts.
        concentration: weight of the loss that brings them together.
    """

    auxiliary_loss: Tensor | None

    def __init__(
        self,
        port: Port,
        experts: int,
        top_k: int,
        units: int,
        heads: int,
        positions: str,
        balance: float,
        concentration: float,
    ) -> None:
        super().__init__()
        width = port.width
        self.norm = nn.LayerNorm(width)
        self.router = nn.Sequential(
            nn.Linear(width, width, bias=False), nn.GELU(), nn.Linear(width, experts, bias=False)
        )
        self.keys_values = nn.Linear(width, 2 * units)
        self.experts = nn.ModuleList(Expert(width, units) for _ in range(experts))
        self.turn = Rotary(port.size[0], units // heads) if positions == "rotary" else None
        self.top_k, self.heads = min(top_k, experts), heads
        self.balance, self.concentration = balance, concentration
        self.auxiliary_loss = None

    def route(self, x_BTW: Tensor) -> Tensor:
        """Return the gates: (B·T, E), above 0 for the chosen experts alone."""
        p_BTE = self.router(self.norm(x_BTW)).softmax(-1)
        return (p_BTE * top_k_mask(p_BTE, self.top_k)).flatten(0, -2)

    def forward(self, x_BTW: Tensor) -> Tensor:
        norm_BTW = self.norm(x_BTW)
        p_BTE = self.router(norm_BTW).softmax(-1)
        self.auxiliary_loss = self._loss(p_BTE) if self.training else None
        chosen_BTK = top_k_indices(p_BTE, self.top_k)
        queries_BTEA = torch.stack([expert(norm_BTW) for expert in self.experts], -2)
        places_BTKA = chosen_BTK[..., None].expand(*chosen_BTK.shape, queries_BTEA.shape[-1])
        attended_BTKA = self._attend(queries_BTEA.gather(-2, places_BTKA), *self.keys_values(norm_BTW).chunk(2, -1))
        gated_BTKA = p_BTE.gather(-1, chosen_BTK)[..., None] * attended_BTKA
        sent_BTEA = torch.zeros_like(queries_BTEA).scatter(-2, places_BTKA, gated_BTKA)
        for expert, sent_BTA in zip(self.experts, sent_BTEA.unbind(-2), strict=True):
            x_BTW = x_BTW + expert(sent_BTA, back=True)
        return x_BTW

    def _attend(self, queries_BTKA: Tensor, keys_BTA: Tensor, values_BTA: Tensor) -> Tensor:
        """Of every query of a step: (B, T, K, A)."""
        q_BKHTC = queries_BTKA.unflatten(-1, (self.heads, -1)).movedim(-4, -2)
        k_B1HTC, v_B1HTC = (
            one.unflatten(-1, (self.heads, -1)).transpose(-3, -2).unsqueeze(-4) for one in (keys_BTA, values_BTA)
        )
        if self.turn is not None:
            q_BKHTC, k_B1HTC = self.turn(q_BKHTC), self.turn(k_B1HTC)
        scores_BKHTT = q_BKHTC @ k_B1HTC.mT / math.sqrt(q_BKHTC.shape[-1])
        if self.turn is not None:
            weights_BKHTT = scores_BKHTT.masked_fill(later(scores_BKHTT), -torch.inf).softmax(-1)
        else:
            weights_BKHTT = stick_breaking(scores_BKHTT)
        return (weights_BKHTT @ v_B1HTC).movedim(-2, -4).flatten(-2)

    def _loss(self, p_BTE: Tensor) -> Tensor:
        """In nats."""
        of_a_step = entropy(p_BTE).mean()
        of_all = entropy(p_BTE.flatten(0, -2).mean(0))
        return self.balance * (of_a_step - of_all) + self.concentration * of_all

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Every step attends, by the same share of experts."""
        return {
            "attention_share": x_BTW.new_ones(()),
            "active_share": x_BTW.new_tensor(self.top_k / len(self.experts)),
        }


class Expert(nn.Module):
    """An expert's two maps, without biases: to its queries, and `back` from what these attended to.

    Args:
        width: W.
        units: A.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.queries = nn.Linear(width, units, bias=False)
        self.out = nn.Linear(units, width, bias=False)

    def forward(self, x: Tensor, back: bool = False) -> Tensor:
        return self.out(x) if back else self.queries(x)


def stick_breaking(scores: Tensor) -> Tensor:
    """Causal attention weights: σ(s_ij) · Π σ(-s_im) over the keys m that are newer than j, up to i itself.

    Args:
        scores: (..., T, T), queries by keys.

    Returns:
        The same shape, in [0, 1]; rows add up to less than 1, keys later than the query have 0.
    """
    newer = later(scores)
    left = nn.functional.logsigmoid(-scores).masked_fill(newer, 0.0)  # of the stick, after each key
    left_before = nn.functional.pad(left[..., 1:], (0, 1)).flip(-1).cumsum(-1).flip(-1)
    return (nn.functional.logsigmoid(scores) + left_before).masked_fill(newer, -torch.inf).exp()


def entropy(p: Tensor) -> Tensor:
    """Over the last axis, in nats."""
    return -torch.xlogy(p, p).sum(-1)
