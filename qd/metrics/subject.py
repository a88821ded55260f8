"""A candidate as metrics see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from search_spaces import Genotype, SearchSpace, Task

from ..space_hooks import module_graph_of

if TYPE_CHECKING:
    import networkx
    from torch import Tensor, nn

    from ..training.inputs import Inputs
    from .predicting import Prediction
    from .uses import Use


class Subject:
    """What is measured. Each part is worked out when it is first asked for, once for all metrics.

    Args:
        genotype: of the candidate.
        space: that it belongs to.
        task: of the networks; None where none is built.
        network: gives the network, trained.
        examples: gives inputs (B, *task.input_shape) and targets, those of `inputs` and `targets`.
        predicted: what the network makes of the examples, where that is known; None: it is run when somebody asks.
    """

    def __init__(
        self,
        genotype: Genotype,
        space: SearchSpace,
        task: Task | None,
        network: Callable[[], nn.Module],
        examples: Callable[[], tuple[Inputs, Tensor]],
        predicted: Prediction | None = None,
    ) -> None:
        self.genotype, self.space, self.task = genotype, space, task
        self._network, self._examples, self._given = network, examples, predicted

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
        return self._predicted.outputs

    @property
    def uses(self) -> Mapping[str, Use]:
        """How each routed module uses its experts, by its name; empty where none is routed."""
        return self._predicted.uses

    @property
    def routing(self) -> Mapping[str, np.ndarray]:
        """The gates (B, E) of each routed module, by its name (see `routing.py`); empty where none is routed.

        Where the network was scored in a stack, it is run alone for them: `uses` has the numbers of most metrics.
        """
        routing = self._predicted.routing
        if routing is None:
            routing = self._alone.routing
        assert routing is not None
        return routing

    @cached_property
    def _parts(self) -> tuple[Inputs, Tensor]:
        return self._examples()

    @property
    def _predicted(self) -> Prediction:
        return self._alone if self._given is None else self._given

    @cached_property
    def _alone(self) -> Prediction:
        from .predicting import predict_alone  # torch, which the genotype does not need

        if self.task is None:
            raise ValueError("what a network makes of examples was asked for, and there is no task")
        return predict_alone(self.network, self.inputs, self.targets, self.task)
