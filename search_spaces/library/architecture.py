"""Architectures of modules as plain data, built without running foreign code."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from ..base import SearchSpace, Task
from .layers import build_layers


def build_architecture(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the module that a record's `architecture` describes, freshly initialised.

    Raises:
        ValueError: it is unknown.
    """
    if architecture["kind"] == "layers":
        return build_layers(architecture["layers"])
    if architecture["kind"] == "body":
        space, task = dict(architecture["space"]), architecture["task"]
        built = _space_class(space.pop("kind"))(**space)
        network: Any = built.build(
            architecture["genotype"], Task(tuple(task["input_shape"]), task["outputs"], task["loss"])
        )
        network.head = nn.Identity()
        return network
    raise ValueError(f"architecture: expected kind layers or body, got {architecture['kind']!r}")


def takes_any_size(architecture: Mapping[str, Any]) -> bool:
    """Whether the module takes maps of any height and width."""
    if architecture["kind"] != "layers":
        return False
    return all(layer["kind"] not in ("flatten", "linear") for layer in architecture["layers"])


def _space_class(name: str) -> type[SearchSpace]:
    """The search space that the file or folder `name` of `search_spaces` defines; the engine's registry is not known.

    Raises:
        ValueError: there is none.
    """
    package = SearchSpace.__module__.rpartition(".")[0]
    module: Any = None
    if re.fullmatch(r"[a-z_]+", name):
        with contextlib.suppress(ModuleNotFoundError):
            module = importlib.import_module(f"{package}.{name}")
    for value in vars(module).values() if module else ():
        inside = f"{getattr(value, '__module__', '')}.".startswith(f"{package}.{name}.")
        if inside and isinstance(value, type) and issubclass(value, SearchSpace):
            return value
    raise ValueError(f"expected a search space of ours, got {name!r}")
