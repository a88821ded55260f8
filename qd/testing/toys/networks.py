"""A space of small perceptrons."""

from typing import Any

import torch

from search_spaces import Choice, Integer, Invalid, SearchSpace, Struct, Task


class Perceptrons(SearchSpace):
    """One hidden layer; a single unit is refused."""

    genes = Struct(hidden=Integer(1, 8), bias=Choice(True, False))

    def build(self, genotype: Any, task: Task) -> torch.nn.Module:
        if genotype["hidden"] == 1:
            raise Invalid("a single unit")
        inputs = 1
        for size in task.input_shape:
            inputs *= size
        return torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(inputs, genotype["hidden"], bias=genotype["bias"]),
            torch.nn.ReLU(),
            torch.nn.Linear(genotype["hidden"], task.outputs),
        )
