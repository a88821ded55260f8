"""Many networks of `convolution` at once.

Axes: K networks, B examples, O outputs, F numbers that the stem reads of a patch, N patches times examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..channel_attention import attention_size
from . import ConvBlock, ConvNetwork, kernel


class ConvLayout:
    """Where parameters and maps of K networks lie; constants of a stack, and the memory that its maps take.

    Args:
        networks: K, of which only names and sizes are read.
        input_shape: (channels, height, width) of an image.
        outputs: O.
    """

    def __init__(self, networks: Sequence[ConvNetwork], input_shape: tuple[int, ...], outputs: int) -> None:
        self.outputs = outputs
        self.patch = networks[0].patch
        self.sides = input_shape[1] // self.patch, input_shape[2] // self.patch
        self.places: list[dict[str, tuple[int, torch.Size]]] = []
        """Of each network: first element and shape of its parameters, by name."""
        self.parameters = 0
        self.map_size = 0
        """Of all maps, for one example."""
        self.most_map = 0
        self._maps = np.empty(0)
        blocks: list[kernel.Block] = []
        rows: list[kernel.Network] = []
        for network in networks:
            places: dict[str, tuple[int, torch.Size]] = {}
            for name, tensor in network.named_parameters():
                places[name] = (self.parameters, tensor.shape)
                self.parameters += tensor.numel()
            self.places.append(places)
            rows.append(self._network(network, places, blocks))
        self.networks, self.blocks = np.array(rows, kernel.NETWORK), np.array(blocks, kernel.BLOCK)

    def maps(self, examples: int, dtype: np.dtype[Any]) -> np.ndarray:
        """Memory for all maps: one array, used again at every step, since fresh pages would cost more than the work."""
        if self._maps.size != self.map_size * examples or self._maps.dtype != dtype:
            self._maps = np.empty(self.map_size * examples, dtype)
        return self._maps

    def _network(
        self, network: ConvNetwork, places: dict[str, tuple[int, torch.Size]], blocks: list[kernel.Block]
    ) -> kernel.Network:
        first_block = len(blocks)
        height, width = self.sides
        channels = network.stem.out_channels
        x = self._map(channels * height * width)
        for index, module in enumerate(network.blocks):
            assert isinstance(module, ConvBlock)
            block = self._block(module, f"blocks.{index}.", places, x, height, width)
            blocks.append(block)
            x = block.output
            if block.pool:
                height, width = height // 2, width // 2
        return kernel.Network(
            first_block=first_block,
            blocks=len(blocks) - first_block,
            channels=channels,
            features=network.head.in_features,
            stem_weight=places["stem.weight"][0],
            stem_bias=places["stem.bias"][0],
            head_weight=places["head.weight"][0],
            head_bias=places["head.bias"][0],
        )

    def _block(
        self, module: ConvBlock, prefix: str, places: dict[str, tuple[int, torch.Size]], x: int, height: int, width: int
    ) -> kernel.Block:
        spec = module.spec
        pixels = height * width
        pool = spec.pool and min(height, width) > 1

        def place(name: str) -> int:
            return places[prefix + name][0]

        first = "pointwise.first." if spec.mergeable else "pointwise."
        return kernel.Block(
            inputs=spec.inputs,
            outputs=spec.outputs,
            group=spec.group,
            height=height,
            width=width,
            pool=int(pool),
            attention=attention_size(spec.outputs) if spec.attention else 0,
            mergeable=int(spec.mergeable),
            spatial_weight=place("spatial.weight"),
            spatial_bias=place("spatial.bias"),
            first_weight=place(first + "weight"),
            first_bias=place(first + "bias"),
            second_weight=place("pointwise.second.weight") if spec.mergeable else 0,
            second_bias=place("pointwise.second.bias") if spec.mergeable else 0,
            attention_weight=place("attention.convolution.weight") if spec.attention else 0,
            x=x,
            spatial=self._map(spec.inputs * pixels),
            between=self._map(spec.outputs * pixels) if spec.mergeable else 0,
            y=self._map(spec.outputs * pixels),
            mean=self._map(spec.outputs) if spec.attention else 0,
            gate=self._map(spec.outputs),
            output=self._map(spec.outputs * (height // 2 * (width // 2) if pool else pixels)),
        )

    def _map(self, size: int) -> int:
        start = self.map_size
        self.map_size += size
        self.most_map = max(self.most_map, size)
        return start

    def patches(self, x: Tensor) -> Tensor:
        """What stems read: (B, channels, height, width) → (F, N)."""
        (rows, columns), patch = self.sides, self.patch
        cut = x[:, :, : rows * patch, : columns * patch].unflatten(2, (rows, patch)).unflatten(4, (columns, patch))
        return cut.permute(1, 3, 5, 2, 4, 0).reshape(math.prod((x.shape[1], patch, patch)), -1).contiguous()


class ConvKernel(torch.autograd.Function):
    """Networks of `convolution.ConvNetwork` on the CPU, by `kernel`.

    A backward pass has to come before the next forward pass, whose maps take the place of these.
    """

    @staticmethod
    def forward(ctx: Any, parameters_P: Tensor, x: Tensor, blend: float, layout: ConvLayout) -> Tensor:
        parameters, patches = parameters_P.detach().numpy(), layout.patches(x).numpy()
        slope = parameters.dtype.type(blend)
        maps = layout.maps(len(x), parameters.dtype)
        outputs = np.empty((len(layout.networks), layout.outputs, len(x)), parameters.dtype)
        kernel.forward(patches, parameters, layout.networks, layout.blocks, slope, maps, outputs)
        ctx.layout, ctx.arrays = layout, (patches, parameters, slope, maps)
        return torch.from_numpy(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        layout: ConvLayout = ctx.layout
        patches, parameters, slope, maps = ctx.arrays
        dparameters = np.zeros_like(parameters)
        kernel.backward(
            gradients[0].contiguous().numpy(), patches, parameters, layout.networks, layout.blocks, slope, maps,
            layout.most_map, dparameters,
        )  # fmt: skip
        return torch.from_numpy(dparameters), None, None, None
