"""K networks of `conv_blocks`, of any sizes, trained as one.

Axes: K networks, B examples, O outputs, P parameters of all networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Owned, Task
from ..kernels import has_kernel
from ..shelf.convolution import BlockSpec, ConvNetwork
from ..shelf.convolution.stack import ConvKernel, ConvLayout
from ..shelf.merging import MergeablePointwise, blend_after
from ..shelf.stack import StackOfViews


class ConvBlocksStack(StackOfViews):
    """All parameters lie in one vector, network after network.

    Args:
        networks: the blocks of each of K networks.
        task: what the networks are for.
    """

    captures = True
    blend: Tensor

    def __init__(self, networks: Sequence[list[BlockSpec]], task: Task) -> None:
        super().__init__()
        with torch.device("meta"):  # their names and sizes are needed, and what they compute, not their parameters
            self.templates = [ConvNetwork(task.input_shape, blocks, task.outputs) for blocks in networks]
        self.layout = ConvLayout(self.templates, task.input_shape, task.outputs)
        self.parameters_P = nn.Parameter(torch.zeros(self.layout.parameters))
        self.register_buffer("blend", torch.zeros((), dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) → (K, B, O)."""
        if has_kernel(x):
            return ConvKernel.apply(self.parameters_P, x, float(self.blend) if self.training else 1.0, self.layout).mT
        return self.forward_by_torch(x)

    def forward_by_torch(self, x: Tensor) -> Tensor:
        """The same by the plain modules, one network after the other."""
        for network in self.templates:
            network.train(self.training)
            for module in network.modules():
                if isinstance(module, MergeablePointwise):
                    module.blend = self.blend
        outputs = [
            torch.func.functional_call(network, self.named(index), (x,)) for index, network in enumerate(self.templates)
        ]
        return torch.stack(outputs)

    def owned(self) -> list[Owned]:
        sizes = [sum(shape.numel() for _, shape in places.values()) for places in self.layout.places]
        return [(self.parameters_P, np.repeat(np.arange(len(sizes)), sizes).tolist())]

    def after_step(self, step: int, steps: int) -> None:
        """Bring mergeable activations nearer to the identity."""
        self.blend.fill_(blend_after(step, steps))

    def named(self, network: int) -> dict[str, Tensor]:
        return {
            name: self.parameters_P[start : start + shape.numel()].view(shape)
            for name, (start, shape) in self.layout.places[network].items()
        }
