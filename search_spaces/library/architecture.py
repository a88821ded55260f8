"""Architectures of modules as plain data, built without running foreign code."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from qd.plain_data import typed

from ..base import SearchSpace, Task
from .layers import build_layers


def build_architecture(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the module that a record's `architecture` describes, freshly initialised.

    Raises:
        ValueError: it is unknown.
        Exception: whatever a space runs into with arguments, a genotype or a task that are not for it.
    """
    kind = architecture.get("kind")
    if kind == "layers":
        return build_layers(typed(architecture, _Layers, "architecture").layers)
    if kind == "body":
        body = typed(architecture, _Body, "architecture")
        arguments = dict(body.space)
        built = _space_class(str(arguments.pop("kind", "")))(**arguments)
        built.genes.validate(body.genotype)
        network: Any = built.build(body.genotype, Task.from_plain(body.task))
        network.head = nn.Identity()
        return network
    raise ValueError(f"architecture: expected kind layers or body, got {kind!r}")


@dataclass(frozen=True)
class _Layers:
    kind: str
    layers: list[dict[str, Any]]


@dataclass(frozen=True)
class _Body:
    kind: str
    space: dict[str, Any]
    genotype: Any
    task: dict[str, Any]


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
        if inside and isinstance(value, type) and issubclass(value, SearchSpace) and not value.graph_needs_files:
            return value
    raise ValueError(f"expected a search space of ours, got {name!r}")
