"""A feed-forward layer whose hidden units choose their activations.

Axes: H hidden units, A activations; whatever is before them stays.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..base import Metric
from ..genes import Choice, Genotype, Integer, Struct
from .base import Port, ShelfModule

ACTIVATIONS = (
    torch.relu,
    torch.sigmoid,
    torch.tanh,
    nn.functional.leaky_relu,
    nn.functional.elu,
    nn.functional.selu,
)
SHARPEST = 30.0
"""What scores are multiplied by, at the end of the choice; 1 at its start."""
SPREAD = 0.1
"""Standard deviation of what the scores start from."""


class MixedActivations(ShelfModule):
    """Every hidden unit chooses among ReLU, sigmoid, tanh, leaky ReLU, ELU and SELU while it is trained, then keeps it.

    After SmartMixed (Omidvar, arXiv 2510.22450), of whose hard mixture the details are not verified. Here a unit's
    activation is a mixture by the softmax of its scores, which are learnt with all else; what they are multiplied by
    grows from 1 to 30 over the share `choosing` of the training, and then each unit keeps its greatest alone.
    Deviations: no noise is drawn; both phases are one training; a residual connection, on normalised input.

    `activation_variety` is the entropy of the units' greatest scores over the activations, as a share of the greatest
    possible: 0 where all chose the same.
    """

    ports = ("vector", "tokens")
    genes = Struct(hidden=Integer(8, 128, log=True), choosing=Choice(0.25, 0.5, 0.75))
    metrics = {"activation_variety": Metric("", 0, 1)}

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return MixedFeedForward(port.width, genes["hidden"], genes["choosing"])


class MixedFeedForward(nn.Module):
    """(..., width) to itself; `kept` is 0 while units choose, then 1 at what each has chosen."""

    sharpness: Tensor
    kept: Tensor

    def __init__(self, width: int, hidden: int, choosing: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.scores = nn.Parameter(SPREAD * torch.randn(len(ACTIVATIONS), hidden))
        self.choosing = choosing
        self.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("kept", torch.zeros(len(ACTIVATIONS), hidden))

    def forward(self, x: Tensor) -> Tensor:
        z = self.up(self.norm(x))
        parts = [weight_H * function(z) for weight_H, function in zip(self.weights(), ACTIVATIONS, strict=True)]
        return x + self.down(torch.stack(parts).sum(0))

    def weights(self) -> Tensor:
        """Of each activation in each unit: (A, H), columns add up to 1."""
        open_H = 1 - self.kept.sum(0)
        return self.kept + open_H * (self.sharpness * self.scores).softmax(0)

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """Sharpen the mixtures, and end the choice when it is time."""
        last = self.choosing * steps
        self.sharpness.fill_(SHARPEST ** min(1.0, (step + 1) / last))
        if step < last <= step + 1:
            self.kept.scatter_(0, self.scores.argmax(0, keepdim=True), 1)

    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """How evenly the activations are used."""
        chosen = nn.functional.one_hot(self.weights().argmax(0), len(ACTIVATIONS))
        share_A = chosen.to(x.dtype).mean(0)
        return {"activation_variety": torch.special.entr(share_A).sum() / math.log(len(ACTIVATIONS))}
