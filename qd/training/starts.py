"""Networks that begin with weights which were trained before: their own, or those of another network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..candidates import Start


def begin_from(network: nn.Module, start: Start) -> None:
    """Give a freshly built network what its training begins with.

    Its own weights (`spent` above 0) are loaded with their buffers, and must fit. Of another network's, each parameter
    takes the common prefix of the tensor of its name: along every axis as many entries as both have. What is longer
    stays fresh at its end, as does a tensor of another number of axes. Buffers and frozen parameters stay as they were
    built.

    Raises:
        ValueError: the network's own weights do not fit it.
    """
    found = {name: torch.tensor(array) for name, array in start.weights.items()}
    if not start.spent:
        _inherit(network, found)
        return
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        raise ValueError(f"weights to go on from do not fit the network that is built now: {error}") from error


def _inherit(network: nn.Module, found: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            given = found.get(name)
            if given is None or given.ndim != parameter.ndim or not parameter.requires_grad:
                continue
            common = tuple(slice(min(sizes)) for sizes in zip(parameter.shape, given.shape, strict=True))
            parameter[common] = given[common].to(parameter)
