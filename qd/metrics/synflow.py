"""Synaptic flow of an untrained network."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from search_spaces import Metric

from ..training.inputs import draw_inputs
from .subject import Subject
from .zero_cost import ZeroCostMetric

LEAST, MOST = -300.0, 308.0
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
"""Layers that would level out the flow."""


class Synflow(ZeroCostMetric):
    """The logarithm to base 10 of the sum of |w · dR/dw| over all parameters w, with R the sum of a network's outputs.

    Weights are replaced by their absolute values and the input by ones, so no data is needed: Tanaka et al., "Pruning
    neural networks without any data by iteratively conserving synaptic flow" (arXiv 2006.05467), as a score of whole
    networks in Abdelfattah et al., "Zero-cost proxies for lightweight NAS" (arXiv 2101.08134). As there, layers of
    normalisation are left out.

    Deviations: it is a logarithm, as the sum grows with the power of the depth; ranks are the same. All parameters
    count that R depends on, biases too, not the weights of linear maps and convolutions alone. Tokens, which have no
    ones, are drawn at random, the same for all. Normalisation that is no layer of its own stays.

    Args:
        seed: of the initialisation.
        name: of the metric, for a second one beside the first.
    """

    def __init__(self, seed: Annotated[int, Field(ge=0, lt=1 << 53)] = 0, name: str = "synflow") -> None:
        super().__init__(name, Metric("", LEAST, MOST), seed)

    def of(self, network: nn.Module, subject: Subject) -> float:
        assert subject.task is not None
        inputs = draw_inputs(subject.task, 1, dtype=torch.float64)
        if inputs.is_floating_point():
            inputs = torch.ones_like(inputs)
        return synflow(network, inputs)


def synflow(network: nn.Module, inputs: Tensor) -> float:
    """The score of a network, which is changed: see `Synflow`.

    Args:
        network: of double precision.
        inputs: (1, *shape).

    Returns:
        In [-300, 308]: what is beyond double precision counts as its end.
    """
    for module in network.eval().modules():
        if isinstance(module, NORMS):
            vars(module)["forward"] = _same
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.abs())
    total = network(inputs).sum()
    if not total.requires_grad:
        return LEAST
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    flow = sum(
        float((parameter * gradient).detach().abs().sum())
        for parameter, gradient in zip(parameters, gradients, strict=True)
        if gradient is not None
    )
    if not math.isfinite(flow):
        return MOST
    return max(LEAST, min(MOST, math.log10(flow))) if flow > 0 else LEAST


def _same(x: Tensor, *_: Any) -> Tensor:
    return x
