"""How strongly the loss pulls at an untrained network."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from search_spaces import Metric

from ..training.losses import Objective
from .subject import Subject
from .zero_cost import ZeroCostMetric, some_examples


class GradientNorm(ZeroCostMetric):
    """The sum over parameters of the Euclidean norms of their gradients of the loss, on one minibatch.

    "grad_norm" of Abdelfattah et al., "Zero-cost proxies for lightweight NAS" (arXiv 2101.08134).

    Deviations: every tensor of parameters counts, biases too, not the weights of linear maps and convolutions alone;
    and the minibatch is of validation examples, which metrics are given.

    Args:
        examples: in the minibatch, evenly over all of them; in a verification test examples.
        seed: of the initialisation, and of what layers draw.
        name: of the metric, for a second one beside the first.
    """

    needs = "examples"

    def __init__(
        self,
        examples: Annotated[int, Field(ge=2, le=10_000)] = 64,
        seed: Annotated[int, Field(ge=0, lt=1 << 53)] = 0,
        name: str = "gradient_norm",
    ) -> None:
        super().__init__(name, Metric("", 0, math.inf), seed)
        self.examples = examples

    def of(self, network: nn.Module, subject: Subject) -> float:
        assert subject.task is not None
        inputs, targets = some_examples(subject, self.examples)
        parameters = [parameter for parameter in network.to(inputs.device).parameters() if parameter.requires_grad]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            loss = Objective(subject.task.loss).alone(network(inputs), targets)
        if not loss.requires_grad:
            return 0.0
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        return float(sum(gradient.norm() for gradient in gradients if gradient is not None))
