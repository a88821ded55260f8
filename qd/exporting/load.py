"""The way back: from an export's folder to a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LONGEST_REASON, QdError, clipped
from .architecture import FILE, Architecture

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"


def load(folder: Path | str, plugins: Path | str | None = None) -> torch.nn.Module:
    """Build an exported network and give it its trained weights. Nothing in the folder is unpickled or executed.

    Args:
        folder: made by `qd export`.
        plugins: the folder of the space, where the space is a plug-in.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        UsageError: the folder is no export, or its space is unknown.
        QdError: the weights are damaged or do not fit the architecture.
    """
    from ..plain_data.tensors import read_tensors

    folder = Path(folder)
    architecture = Architecture.read(folder)
    where = str(folder / FILE)
    architecture.network_task(where)
    space = architecture.find_space(Path(plugins) if plugins else None, where)
    network = architecture.build(space, where)
    path = folder / WEIGHTS
    try:
        tensors = read_tensors(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise QdError(f"{path}: expected a safetensors file, but it is missing or damaged ({reason})") from error
    take_weights(network, tensors, str(path))
    return network.eval()


def take_weights(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Load tensors into a network.

    Raises:
        QdError: they do not fit.
    """
    from ..plain_data.tensors import check_fit

    try:
        check_fit(tensors, network)
        network.load_state_dict(dict(tensors))
    except (ValueError, RuntimeError) as error:
        raise QdError(f"{where}: the weights do not fit the architecture: {clipped(error, LONGEST_REASON)}") from error
