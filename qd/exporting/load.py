"""The way back: from an export's folder to a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import QdError
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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    architecture = Architecture.read(folder)
    where = str(folder / FILE)
    architecture.network_task(where)
    space = architecture.find_space(Path(plugins) if plugins else None, where)
    network = architecture.build(space, where)
    path = folder / WEIGHTS
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise QdError(f"{path}: expected a safetensors file, but it is missing or damaged ({error})") from error
    except RuntimeError as error:
        raise QdError(f"{path}: the weights do not fit the architecture: {error}") from error
    return network.eval()
