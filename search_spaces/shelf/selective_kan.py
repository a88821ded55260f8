"""Kolmogorov–Arnold layers whose units choose their basis.

Axes: W width, C functions of a basis, F families of functions; whatever is before them stays.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .kan import START
from .kan.bases import Chebyshev, Fourier, Spline, Wavelet
from .shares import SPLINE

SPREAD = 0.1
"""Standard deviation of what the choices start from."""


class SelectiveKAN(ShelfModule):
    """Each node of a Kolmogorov–Arnold layer chooses its family of functions: splines, Fourier, Chebyshev or wavelets.

    After S-KAN (Yang et al., arXiv 2408.08338): the rule by which a node selects is not verified (it is said to train
    all, then to select, then to prune). Here a node is a unit that comes in: the functions on all its edges are sums of
    one mixture of the families, by a softmax of its own that is learnt with all else, and nothing is pruned. All
    families have the same number of functions, so that an edge has C + 1 weights whatever is chosen. See `kan` for what
    its layers deviate in. `spline_share` counts the nodes whose greatest weight is the splines'.
    """

    ports = ("vector", "tokens")
    genes = Struct(functions=Choice(7, 15))
    metrics = SPLINE

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return SelectiveKANLayer(port.width, genes["functions"])


class SelectiveKANLayer(nn.Module):
    """(..., W) to itself."""

    def __init__(self, width: int, functions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.families = nn.ModuleList(
            [Spline(functions, 3), Fourier(functions), Chebyshev(functions), Wavelet(functions)]
        )
        self.scores_WF = nn.Parameter(SPREAD * torch.randn(width, len(self.families)))
        self.base = nn.Linear(width, width)
        self.sums = nn.Linear(width * functions, width, bias=False)
        nn.init.normal_(self.sums.weight, std=START / math.sqrt(width))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        squashed, weights_FW1 = torch.tanh(normed), self.scores_WF.softmax(-1).T[..., None]
        mixed = torch.stack(
            [weight * family(squashed) for weight, family in zip(weights_FW1.unbind(), self.families, strict=True)]
        ).sum(0)
        return x + self.base(nn.functional.silu(normed)) + self.sums(mixed.flatten(-2))

    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """Which nodes have chosen the splines, the first of the families."""
        return {"spline_share": (self.scores_WF.argmax(-1) == 0).to(x.dtype).mean()}
