"""What stacks share: the parameters of each network, or of each module, are views of those of the stack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..base import Owned


class StackOfViews(nn.Module, ABC):
    """K networks as one, of which each can be taken in and given out under its own names; see `base.Stack`."""

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary_loss: Tensor | None = None

    @abstractmethod
    def named(self, network: int) -> dict[str, Tensor]:
        """Views of a network's tensors, under their names in its `state_dict`."""

    @torch.no_grad()
    def load(self, network: int, state: Mapping[str, Tensor]) -> None:
        """Take the parameters of one network from its `state_dict`."""
        for name, view in self.named(network).items():
            view.copy_(state[name])

    def unstack(self, network: int) -> dict[str, Tensor]:
        """The parameters of one network, as a `state_dict`."""
        return {name: view.detach().clone() for name, view in self.named(network).items()}


class StackOfModules(nn.Module):
    """N modules whose parameters have the same names and shapes; a `base.ModuleStack` when it has a `forward`.

    Args:
        template: one of them.
        size: N.
    """

    def __init__(self, template: nn.Module, size: int) -> None:
        super().__init__()
        self.auxiliary_loss: Tensor | None = None
        self.names = [name for name, _ in template.named_parameters()]
        self.stacked = nn.ParameterList(
            nn.Parameter(parameter.detach().new_zeros(size, *parameter.shape)) for parameter in template.parameters()
        )

    def __getitem__(self, name: str) -> Tensor:
        """(N, ...): a parameter of all."""
        return self.stacked[self.names.index(name)]

    def owned(self) -> list[Owned]:
        """Every parameter; row n belongs to module n."""
        return [(tensor, range(len(tensor))) for tensor in self.stacked]

    def named(self, network: int) -> dict[str, Tensor]:
        """Views of the parameters of one network's module."""
        return {name: tensor[network] for name, tensor in zip(self.names, self.stacked, strict=True)}


def normalised(x_N: Tensor, weight_NW: Tensor, bias_NW: Tensor) -> Tensor:
    """Layer normalisation over the last axis of N modules: (N, ..., W) to itself."""
    between = (1,) * (x_N.ndim - 2)
    normal = nn.functional.layer_norm(x_N, x_N.shape[-1:])
    return normal * weight_NW.unflatten(1, (*between, -1)) + bias_NW.unflatten(1, (*between, -1))


def groups_of(keys: Sequence[Hashable]) -> list[list[int]]:
    """The rows of equal keys, in the order of their first."""
    found: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return list(found.values())
