"""The way back: from an export's folder to a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces import Invalid, SearchSpace, Task

from .. import plugins as plugin_room
from ..errors import QdError, UsageError

if TYPE_CHECKING:
    import torch

FORMAT = 1


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
    data = _read(folder)
    component = data["space"]
    arguments = {name: value for name, value in component.items() if name != "kind"}
    where = str(folder / "architecture.json")
    found = plugin_room.find(component["kind"], "search_spaces", SearchSpace, Path(plugins) if plugins else None, where)
    space = plugin_room.construct(found, arguments, where)
    task = Task(tuple(data["task"]["input_shape"]), data["task"]["outputs"], data["task"]["loss"])
    try:
        space.genes.validate(data["genotype"])
        network = space.build(data["genotype"], task)
    except Invalid as error:
        raise QdError(f"{where}: this version of {component['kind']} does not build this genotype: {error}") from error
    path = folder / "weights.safetensors"
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise QdError(f"{path}: expected a safetensors file, but it is missing or damaged ({error})") from error
    except RuntimeError as error:
        raise QdError(f"{path}: the weights do not fit the architecture: {error}") from error
    return network.eval()


def _read(folder: Path) -> dict:
    path = folder / "architecture.json"
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder}: expected an export with architecture.json in it ({error})") from error
    missing = [name for name in ("format", "space", "genotype", "task") if name not in data]
    if missing:
        raise UsageError(f"{path}: expected {', '.join(missing)} in it")
    if data["format"] != FORMAT:
        raise UsageError(f"{path}: written in format {data['format']}, this qd reads format {FORMAT}; update qdnas")
    if not data["task"]:
        raise UsageError(f"{path}: this architecture was evaluated without a network, there is nothing to load")
    return data
