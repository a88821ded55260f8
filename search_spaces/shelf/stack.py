"""What stacks of networks share: the parameters of each network are views of the stack's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn


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
