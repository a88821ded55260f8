"""Attention in local windows over steps that are packed side by side.

Axes: B examples, T steps, G windows, Q queries of a window, K keys that it sees, Z units of a query, H of a value, C of
all of these.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .base import Port
from .distances import DistanceBias, RotaryBias
from .packing import pack, unpack


class WindowAttention(nn.Module):
    """One head over the active steps alone: each window sees itself and the one before, and else the one after too.

    A bias is added for each distance, of before packing.

    Args:
        port: of tokens.
        queries: Z, even.
        window: of packed steps; at most T.
        weights: "softmax" or "squared relu": relu(q·k/window)², the window counting twice where it looks both ways.
        bias: of distances, "learnt" or "rotary".
    """

    def __init__(self, port: Port, queries: int, window: int, weights: str, bias: str) -> None:
        super().__init__()
        self.steps, self.causal = port.size[0], port.causal
        self.window = min(window, self.steps)
        self.windows = math.ceil(self.steps / self.window)
        self.softmax = weights == "softmax"
        self.divisor = math.sqrt(queries) if self.softmax else self.window * (1 if port.causal else 2)
        self.bias = RotaryBias(self.steps, queries) if bias == "rotary" else DistanceBias(self.steps)

    def forward(self, q_BTZ: Tensor, k_BTZ: Tensor, v_BTH: Tensor, active_BT: Tensor) -> Tensor:
        """(B, T, H); what it gives for steps that are not active means nothing.

        Args:
            q_BTZ: queries.
            k_BTZ: keys.
            v_BTH: values.
            active_BT: bool.
        """
        step_T1 = torch.arange(self.steps, device=q_BTZ.device, dtype=q_BTZ.dtype)[:, None]
        parts = [q_BTZ, k_BTZ, v_BTH, active_BT[..., None].to(q_BTZ.dtype)]
        if self.windows == 1:  # sees all: the order does not matter
            q, k, v, active = (part[:, None] for part in parts)
            return self._mixed(q, k, v, active, step_T1).squeeze(1)
        parts.append(step_T1.expand(q_BTZ.shape[0], self.steps, 1))
        packed_BTC, place_BT = pack(torch.cat(parts, -1), active_BT)
        padded_BTC = nn.functional.pad(packed_BTC, (0, 0, 0, self.windows * self.window - self.steps))
        cut_BGQC = padded_BTC.unflatten(1, (self.windows, self.window))
        mixed_BGQH = self._mixed(*cut_BGQC.split([part.shape[-1] for part in parts], -1))
        return unpack(mixed_BGQH.flatten(1, 2)[:, : self.steps], place_BT)

    def _mixed(self, q_BGQZ: Tensor, k_BGQZ: Tensor, v_BGQH: Tensor, active_BGQ1: Tensor, step_BGQ1: Tensor) -> Tensor:
        distance_BGQK = (self._seen(step_BGQ1).mT - step_BGQ1).long() + self.steps - 1
        scores_BGQK = q_BGQZ @ self._seen(k_BGQZ).mT / self.divisor + self.bias()[distance_BGQK]
        allowed_BGQK = self._allowed(self._seen(active_BGQ1).mT)
        if self.softmax:
            weights_BGQK = scores_BGQK.masked_fill(~allowed_BGQK, -torch.inf).softmax(-1)
        else:
            weights_BGQK = scores_BGQK.relu().square() * allowed_BGQK
        return weights_BGQK @ self._seen(v_BGQH)

    def _allowed(self, active_BG1K: Tensor) -> Tensor:
        """(B, G, Q, K) bool: active keys, none later where that is asked for; all may see themselves."""
        place_Q1 = torch.arange(self.window, device=active_BG1K.device)[:, None]
        place_K = torch.arange(active_BG1K.shape[-1], device=active_BG1K.device) - self.window * (self.windows > 1)
        allowed_BGQK = (active_BG1K > 0) | (place_K == place_Q1)
        return allowed_BGQK & (place_K <= place_Q1) if self.causal else allowed_BGQK

    def _seen(self, own_BGQC: Tensor) -> Tensor:
        """(B, G, K, C): the window before, its own, and, where it may be seen, that after; nothing is active beyond."""
        if self.windows == 1:
            return own_BGQC
        before_BGQC = nn.functional.pad(own_BGQC, (0, 0, 0, 0, 1, 0))[:, :-1]
        if self.causal:
            return torch.cat([before_BGQC, own_BGQC], 2)
        return torch.cat([before_BGQC, own_BGQC, nn.functional.pad(own_BGQC, (0, 0, 0, 0, 0, 1))[:, 1:]], 2)
