"""A candidate as metrics see it before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from search_spaces import Genotype, SearchSpace, Task
from search_spaces.genes import copy_tree

from .subject import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..training.inputs import Inputs


class Untrained(Subject):
    """What is known of a candidate without training it: the network's weights mean nothing.

    `network` has shapes and no memory (torch's device "meta"); it is built when it is first asked for, which takes a
    millisecond or more, so what the space gives in closed form goes before it.

    Args:
        genotype: of the candidate.
        space: that it belongs to.
        task: of the networks; None where none is built.
        examples: gives inputs and targets, those that a trained network is measured on; by default there are none.
    """

    def __init__(
        self,
        genotype: Genotype,
        space: SearchSpace,
        task: Task | None,
        examples: Callable[[], tuple[Inputs, Tensor]] | None = None,
    ) -> None:
        super().__init__(genotype, space, task, self._on_meta, examples or _no_examples)

    @cached_property
    def given(self) -> Mapping[str, float]:
        """What the space says: see `SearchSpace.known`."""
        return self.space.known(self.genotype, self.task)

    @cached_property
    def routed(self) -> bool:
        """Whether parts of the network are chosen by what goes in, so that examples may cost more or less."""
        if "parameters" in self.given:
            return "macs" not in self.given
        from .routing import routed_modules

        return bool(routed_modules(self.network))

    @property
    def example(self) -> Tensor:
        """(1, *task.input_shape): an input without memory, of the right type."""
        from ..training.inputs import draw_inputs

        assert self.task is not None
        return draw_inputs(self.task, 1).to("meta")

    @cached_property
    def initialised(self) -> nn.Module:
        """The network with weights, those of seed 0, in evaluation mode: for what runs it."""
        from ..training import build_seeded

        return build_seeded(self._build, 0).eval()

    def _on_meta(self) -> nn.Module:
        import torch

        from ..precision import single_precision

        with single_precision(), torch.device("meta"):
            return self._build()

    def _build(self) -> nn.Module:
        assert self.task is not None
        return self.space.build(copy_tree(self.genotype), self.task)


def _no_examples() -> Any:
    raise ValueError("nobody gives examples to measure a candidate on that is not trained")
