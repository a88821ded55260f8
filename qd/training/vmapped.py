"""Stacks of networks whose space has none: `torch.func.vmap` where architectures are equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from search_spaces.base import Owned, StackPrediction

from .losses import auxiliary_loss

TOLERANCE = 1e-4
"""Largest difference of a network's outputs, stacked and alone, as a share of the largest output."""


class Unstackable(Exception):  # noqa: N818 - no error: the networks are trained one by one
    """These networks cannot be stacked."""


def structure(network: nn.Module) -> Hashable:
    """A value that networks of one architecture share: types, names, shapes, and the plain settings of every module."""
    parts: list[Hashable] = []
    for name, module in network.named_modules():
        settings = tuple((key, repr(value)) for key, value in sorted(vars(module).items()) if not key.startswith("_"))
        shapes = tuple((key, tuple(value.shape)) for key, value in module.named_parameters(recurse=False))
        parts.append((name, type(module), settings, shapes))
    return tuple(parts)


class VmapStack(nn.Module):
    """K networks of one structure as one.

    Args:
        networks: K, of one `structure`, with the parameters to start from.
        example: a minibatch, on which stacked and single outputs are compared.

    Raises:
        Unstackable: there are buffers (which training would change), frozen parameters, torch cannot vmap the network,
            it draws random numbers, or the outputs differ from those of the networks alone.
    """

    def __init__(self, networks: Sequence[nn.Module], example: Tensor) -> None:
        super().__init__()
        if any(True for _ in networks[0].buffers()):
            raise Unstackable("networks with buffers are trained one by one")
        if not all(parameter.requires_grad for parameter in networks[0].parameters()):
            raise Unstackable("networks with frozen parameters are trained one by one: a stack would train all")
        parameters, _ = stack_module_state(list(networks))
        self.names = list(parameters)
        self.stacked = nn.ParameterList([nn.Parameter(parameters[name].detach()) for name in self.names])
        self._one: list[nn.Module] = [networks[0]]  # in a list: not a part of this module
        self.auxiliary_loss: Tensor | None = None
        self._compare(networks, example)

    def forward(self, x: Tensor) -> Tensor:
        outputs_KBO, loss_K = vmap(self._call, in_dims=(0, None))(tuple(self.stacked), x)
        self.auxiliary_loss = loss_K if self.training else None
        return outputs_KBO

    def predict(self, x: Tensor) -> StackPrediction:
        """Outputs, and the gates of each network's routed modules; nothing of modules that observe."""
        found: dict[str, Tensor] = {}
        routed = [(name, one) for name, one in self._one[0].named_modules() if hasattr(type(one), "route")]
        hooks = [one.register_forward_hook(_recorder(name, one, found)) for name, one in routed]

        def call(parameters: tuple[Tensor, ...], x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            found.clear()
            output, _ = self._call(parameters, x)
            return output, dict(found)

        try:
            outputs_KBO, gates = vmap(call, in_dims=(0, None))(tuple(self.stacked), x)
        finally:
            for hook in hooks:
                hook.remove()
        of_networks = [{name: gates_KBE[one] for name, gates_KBE in gates.items()} for one in range(len(outputs_KBO))]
        return StackPrediction(outputs_KBO, of_networks)

    def train(self, mode: bool = True) -> VmapStack:
        self._one[0].train(mode)
        return super().train(mode)

    def owned(self) -> list[Owned]:
        return [(tensor, range(len(tensor))) for tensor in self.stacked]

    def load(self, network: int, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in zip(self.names, self.stacked, strict=True):
                tensor[network] = state[name]

    def unstack(self, network: int) -> dict[str, Tensor]:
        pairs = zip(self.names, self.stacked, strict=True)
        return {name: tensor[network].detach().clone() for name, tensor in pairs}

    def _call(self, parameters: tuple[Tensor, ...], x: Tensor) -> tuple[Tensor, Tensor]:
        network = self._one[0]
        output = functional_call(network, dict(zip(self.names, parameters, strict=True)), (x,))
        loss = auxiliary_loss(network)
        return output, x.new_zeros(()) if loss is None else loss

    def _compare(self, networks: Sequence[nn.Module], example: Tensor) -> None:
        try:
            with torch.no_grad():
                stacked = self(example)  # "error" on randomness is vmap's default
        except Exception as error:  # whatever a stranger's network raises under vmap, it does not when called alone
            raise Unstackable(str(error)) from error
        with torch.no_grad():
            alone = torch.stack([network(example) for network in networks])
        if not torch.allclose(stacked, alone, rtol=0, atol=TOLERANCE * max(1.0, float(alone.abs().max()))):
            raise Unstackable("stacked outputs differ")


def _recorder(name: str, module: Any, found: dict[str, Tensor]) -> Callable[..., None]:
    def record(_module: nn.Module, arguments: tuple[Tensor, ...], _output: Tensor) -> None:
        found[name] = module.route(arguments[0])

    return record
