"""A candidate as metrics see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from search_spaces import Genotype, SearchSpace, Task
from search_spaces.task import Series, Tokens

from ..space_hooks import module_graph_of

if TYPE_CHECKING:
    import networkx
    from torch import Tensor, nn

    from ..training.inputs import Inputs

BATCH, NUMBERS, STEPS = 1000, 2**24, 2**14
"""At most so many examples go through a network at once, so many numbers come out, and so many steps go in."""


class Subject:
    """What is measured. Each part is worked out when it is first asked for, once for all metrics.

    Args:
        genotype: of the candidate.
        space: that it belongs to.
        task: of the networks; None where none is built.
        network: gives the network, trained.
        examples: gives inputs (B, *task.input_shape) and targets, those of `inputs` and `targets`.
        keep: what becomes of the outputs of a batch, whose rows are given; default: they are kept as they are.
    """

    def __init__(
        self,
        genotype: Genotype,
        space: SearchSpace,
        task: Task | None,
        network: Callable[[], nn.Module],
        examples: Callable[[], tuple[Inputs, Tensor]],
        keep: Callable[[Tensor, slice], Tensor] = lambda outputs, rows: outputs,
    ) -> None:
        self.genotype, self.space, self.task = genotype, space, task
        self._network, self._examples, self._keep = network, examples, keep

    @cached_property
    def graph(self) -> networkx.DiGraph:
        """The module graph of the genotype, as `SearchSpace.module_graph` describes it."""
        graph = module_graph_of(self.space, self.genotype)
        if graph is None:
            raise ValueError(f"{type(self.space).__name__}.module_graph() gives None for this genotype")
        return graph

    @cached_property
    def network(self) -> nn.Module:
        """The network, in evaluation mode, on the device where it was trained."""
        return self._network().eval()

    @property
    def inputs(self) -> Inputs:
        """(B, *task.input_shape) validation examples, on the network's device; in a verification those for the test.

        Where they take more memory than is well spent, they are no tensor: ask for a slice, or for rows.
        """
        return self._parts[0]

    @property
    def targets(self) -> Tensor:
        """(B,) int64 classes, (B, outputs) floats or (B, steps) int64 tokens, of the inputs."""
        return self._parts[1]

    @property
    def outputs(self) -> Tensor:
        """(B, task.outputs): what the network gives for the inputs; of next tokens those of the last position."""
        return self._predicted[0]

    @property
    def routing(self) -> Mapping[str, np.ndarray]:
        """The gates (B, E) of each routed module, by its name (see `routing.py`); empty where none is routed."""
        return self._predicted[1]

    @cached_property
    def _parts(self) -> tuple[Inputs, Tensor]:
        return self._examples()

    @cached_property
    def _predicted(self) -> tuple[Tensor, dict[str, np.ndarray]]:
        from .routing import predict  # torch, which the genotype does not need

        numbers = math.prod(self.task.output_shape) if self.task else 1
        steps = self.task.input.steps if self.task and isinstance(self.task.input, Series | Tokens) else 1
        size = max(1, min(BATCH, NUMBERS // numbers, STEPS // steps))
        return predict(self.network, self.inputs, size, self._keep)
