"""Kolmogorov–Arnold layers.

Axes: I units that come in, O units that go out, C functions of a basis; whatever is before them stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...genes import Choice, Genotype, Integer, Struct, Variant
from ..base import Port, ShelfModule
from ..feed_forward import Normalised
from ..shares import SPLINE
from .bases import Basis, Chebyshev, Fourier, Spline, Wavelet


class KAN(ShelfModule):
    """Every edge has a function of its own, φ(x) = w SiLU(x) + Σ c_i B_i(x), and units only add them up.

    After Kolmogorov–Arnold networks (Liu et al., arXiv 2404.19756). The functions B_i are B-splines of an order over a
    `grid` of intervals; or, after others, sines and cosines of so many `frequencies` (FourierKAN), Chebyshev
    polynomials up to a `degree` (Sidharth and Gokul, arXiv 2405.07200), or Mexican hats at so many `levels` of width
    (Bozorgasl and Chen, arXiv 2405.12832). An edge has C + 1 weights for C functions: with splines, G + k + 1.

    Deviations: the input goes through tanh on its way to the functions, so that it stays in the range where they are,
    and their grid stays what it is (the paper moves the grid to where the inputs are); no factor in front of the sum,
    which its weights can take; wavelets have fixed places and widths, which Wav-KAN learns; a bias for each unit.
    """

    ports = ("vector", "tokens")
    genes = Struct(
        basis=Variant(
            spline=Struct(grid=Integer(2, 8), order=Choice(1, 2, 3)),
            fourier=Struct(frequencies=Integer(1, 5)),
            chebyshev=Struct(degree=Integer(2, 10)),
            wavelet=Struct(levels=Choice(2, 3)),
        )
    )
    metrics = SPLINE

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return Normalised(port.width, KANLayer(port.width, port.width, basis_of(genes["basis"])))

    def measure(self, genes: Genotype, network: Any) -> Mapping[str, float]:
        return network.layer.observed


class KANLayer(nn.Module):
    """(..., I) to (..., O), with a function for each pair of units: two matrix products.

    Args:
        inputs: I.
        outputs: O.
        basis: what the functions are sums of.
    """

    def __init__(self, inputs: int, outputs: int, basis: Basis) -> None:
        super().__init__()
        self.basis = basis
        self.base = nn.Linear(inputs, outputs)
        self.sums = nn.Linear(inputs * basis.count, outputs, bias=False)
        nn.init.normal_(self.sums.weight, std=START / math.sqrt(inputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(nn.functional.silu(x)) + self.sums(self.basis(torch.tanh(x)).flatten(-2))

    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """All nodes have one basis."""
        return {"spline_share": x.new_full((), float(isinstance(self.basis, Spline)))}


START = 0.1
"""Standard deviation of the weights of functions at the start, times the square root of the units that come in."""


def basis_of(genes: Genotype) -> Basis:
    """The functions that genes stand for."""
    match genes["kind"]:
        case "spline":
            return Spline(genes["grid"] + genes["order"], genes["order"])
        case "fourier":
            return Fourier(2 * genes["frequencies"])
        case "chebyshev":
            return Chebyshev(genes["degree"])
        case _:
            return Wavelet(2 ** genes["levels"] - 1)
