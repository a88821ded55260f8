"""Layers of oscillators that find their phases together."""

from __future__ import annotations

from torch import nn

from ...base import Metric
from ...genes import Choice, Genotype, Struct
from ..base import Port, ShelfModule
from ..shares import ATTENTION
from .layer import Oscillators


class Akorn(ShelfModule):
    """Artificial Kuramoto oscillators (AKOrN, Miyato et al., arXiv 2410.13821).

    Units in groups of `units` are unit vectors x. Some `times`, with the same parameters, x ← norm(x + γ(Ωx +
    P(c + Jx))): c is a map of the normalised input, J attention or a convolution over steps, P takes away what lies
    along x, Ω turns pairs of units by learnt rates, one for all or one each, and γ is learnt from 1. What is read is
    the length of a map of x to `units` numbers for each channel, plus a bias, and is added to the input.

    Causal where the port is: attention then, or a convolution padded on the left. Deviations: x starts from one learnt
    vector for all steps, not from noise that is drawn at every pass; heads of 8 units or more, at most 8 (8 heads of
    64 there); no normalisation of c; `units` also of what is read; P always, as lengths before norm are then at
    least 1, and so gradients bounded.

    Metrics: `attention_share`; `synchrony`, the length of an oscillator's mean over the steps, at the end: 1 where all
    steps have one phase.
    """

    ports = ("tokens",)
    genes = Struct(
        units=Choice(2, 4, 8),
        times=Choice(2, 4, 8),
        coupling=Choice("attention", "convolution"),
        turning=Choice("none", "shared", "each"),
    )
    metrics = {**ATTENTION, "synchrony": Metric("", 0, 1)}

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return Oscillators(port, **genes)
