"""Recurrent tiers with clocks of their own.

Axes: B examples, T steps, W width, J frames, F steps of a frame, D units of the tiers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Integer, Struct
from .base import Port, ShelfModule


class Tiers(ShelfModule):
    """SampleRNN (Mehri et al., arXiv 1612.07837): slow recurrent tiers condition faster ones, and these each step.

    The lowest tier runs once in `frame` steps, each above it once in `frame` runs of that below. A tier sees the steps
    of a frame, joined, and what the tier above gives; its GRU starts at a learnt state, and a learnt map makes of every
    run what conditions the runs below. Each step sees the last `frame` steps, and what the lowest tier gives.

    Deviations: steps are vectors of the port, not single samples or their embeddings; all tiers have frames of one size
    and one layer; a frame ends with the first of the steps that it conditions, which no tier of the paper sees yet, as
    what is told of it is the next one; no weight normalisation, and no state is carried from one example to another.
    """

    ports = ("tokens",)
    genes = Struct(tiers=Integer(1, 3), frame=Choice(2, 4, 8), hidden=Choice(16, 32, 64, 128))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return TieredLayer(port, genes["tiers"], genes["frame"], genes["hidden"])


class TieredLayer(nn.Module):
    """(B, T, W) to itself; no step looks at a later one.

    Args:
        port: of tokens.
        tiers: recurrent ones, at least 1.
        frame: runs of a tier, or steps, for one of the tier above.
        hidden: D.
    """

    def __init__(self, port: Port, tiers: int, frame: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.tiers = nn.ModuleList(Tier(port, frame**tier, frame, hidden) for tier in range(tiers, 0, -1))
        self.last = nn.Conv1d(port.width, hidden, frame)
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, port.width))
        self.before = frame - 1

    def forward(self, x_BTW: Tensor) -> Tensor:
        normal_BTW, condition = self.norm(x_BTW), None
        for tier in self.tiers:
            condition = tier(normal_BTW, condition)
        last_BTD = self.last(nn.functional.pad(normal_BTW.mT, (self.before, 0))).mT
        assert condition is not None
        return x_BTW + self.out(last_BTD + condition[:, : x_BTW.shape[1]])


class Tier(nn.Module):
    """Runs once in `steps` steps: (B, T, W), and (B, at least J, D) of the tier above, to (B, J·frame, D).

    Args:
        port: of tokens.
        steps: F.
        frame: how many runs below each conditions.
        hidden: D.
    """

    def __init__(self, port: Port, steps: int, frame: int, hidden: int) -> None:
        super().__init__()
        self.steps, self.frames = steps, math.ceil(port.size[0] / steps)
        self.into = nn.Linear(port.width * steps, hidden)
        self.cell = nn.GRU(hidden, hidden, batch_first=True)
        self.start = nn.Parameter(torch.zeros(hidden))
        self.up = nn.Linear(hidden, frame * hidden)

    def forward(self, x_BTW: Tensor, condition: Tensor | None) -> Tensor:
        seen_BTW = x_BTW[:, : (self.frames - 1) * self.steps + 1]
        frames_BJF = nn.functional.pad(seen_BTW, (0, 0, self.steps - 1, 0)).unflatten(1, (self.frames, -1)).flatten(2)
        input_BJD = self.into(frames_BJF)
        if condition is not None:
            input_BJD = input_BJD + condition[:, : self.frames]
        start_1BD = self.start.expand(1, x_BTW.shape[0], -1).contiguous()
        return self.up(self.cell(input_BJD, start_1BD)[0]).unflatten(-1, (-1, input_BJD.shape[-1])).flatten(1, 2)
