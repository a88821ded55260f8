"""How differently an untrained network treats different inputs."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from search_spaces import Metric, SearchSpace, Task
from search_spaces.task import Tokens

from .subject import Subject
from .zero_cost import ZeroCostMetric, some_examples

SMALL = 1e-5
"""Added to eigenvalues, as in the paper."""


class JacobianCovariance(ZeroCostMetric):
    """How little the linear maps that a network makes of its inputs are correlated: the score of Mellor et al.

    Minus the sum of log(s + 1e-5) + 1 / (s + 1e-5) over the eigenvalues s of the correlation matrix of the gradients of
    the summed outputs with respect to each input: "Neural architecture search without training" (arXiv 2006.04647, in
    its first version; later ones compare active units), "jacob_cov" in Abdelfattah et al. (arXiv 2101.08134). At its
    best, about minus the number of examples, where all inputs are treated in ways that have nothing in common.

    Deviations: layers are in evaluation mode, so that inputs do not mix through the statistics of a batch. An input
    whose gradient is the same in all its coordinates, zero for example, has no correlation; it counts as one that
    repeats the others. Of inputs of fewer numbers than there are examples some gradients repeat others in any network.

    Args:
        examples: validation inputs, evenly over all of them; in a verification test inputs.
        seed: of the initialisation.
        name: of the metric, for a second one beside the first.
    """

    needs = "examples"

    def __init__(
        self,
        examples: Annotated[int, Field(ge=2, le=10_000)] = 64,
        seed: Annotated[int, Field(ge=0, lt=1 << 53)] = 0,
        name: str = "jacobian_covariance",
    ) -> None:
        super().__init__(name, Metric("", -math.inf, 0), seed)
        self.examples = examples

    def bind(self, space: SearchSpace, task: Task | None) -> None:
        if task is not None and isinstance(task.input, Tokens):
            raise ValueError(
                "needs inputs that are numbers, and those of this task are tokens: no gradient leads there"
            )

    def of(self, network: nn.Module, subject: Subject) -> float:
        inputs, _ = some_examples(subject, self.examples)
        inputs = inputs.clone().requires_grad_()
        total = network.to(inputs.device).eval()(inputs).sum()
        if not total.requires_grad:
            return decorrelation(np.zeros((len(inputs), 1)))
        (jacobian,) = torch.autograd.grad(total, [inputs], allow_unused=True)
        found = torch.zeros_like(inputs) if jacobian is None else jacobian
        return decorrelation(found.flatten(1).numpy(force=True))


def decorrelation(jacobian: np.ndarray) -> float:
    """The score of gradients (B, D), as `JacobianCovariance` has it: at most 0."""
    centred = jacobian - jacobian.mean(1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    eigenvalues = np.maximum(np.linalg.eigvalsh(directions @ directions.T), 0) + SMALL
    return float(-(np.log(eigenvalues) + 1 / eigenvalues).sum())
