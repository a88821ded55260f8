"""Perceptrons, and how fast they learn: a space beside a run file."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import nn

from search_spaces import Choice, Integer, Real, Repeat, SearchSpace, Struct, Task

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Perceptrons(SearchSpace):
    """One to four hidden layers of 2 to 128 units, with an activation and a learning rate."""

    genes = Struct(
        layers=Repeat(Integer(2, 128, log=True), 1, 4),
        activation=Choice(*ACTIVATIONS),
        learning_rate=Real(1e-4, 1e-1, log=True),
    )

    def build(self, genotype: Any, task: Task) -> nn.Module:
        inputs = 1
        for size in task.input_shape:
            inputs *= size
        parts: list[nn.Module] = [nn.Flatten()]
        for size, units in pairwise([inputs, *genotype["layers"]]):
            parts += [nn.Linear(size, units), ACTIVATIONS[genotype["activation"]]()]
        return nn.Sequential(*parts, nn.Linear(genotype["layers"][-1], task.outputs))

    def training_options(self, genotype: Any) -> Mapping[str, float]:
        return {"learning_rate": genotype["learning_rate"]}
