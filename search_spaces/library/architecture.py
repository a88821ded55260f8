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
from ..shelf.base import ShelfModule
from .layers import build_layers

HEADS = (("", "head"), ("head", "linear"), ("head.head", "linear"))
"""Where the last linear map of a network may be: it is the head, the end of it, or that of one with many exits."""


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
        if arguments.get("modules") is not None:
            arguments["modules"] = tuple(map(_module, arguments["modules"]))
        built = _space_class(str(arguments.pop("kind", "")))(**arguments)
        built.genes.validate(body.genotype)
        network = built.build(body.genotype, Task.from_plain(body.task))
        take_head(network)
        return network
    raise ValueError(f"architecture: expected kind layers or body, got {kind!r}")


def take_head(network: nn.Module) -> nn.Linear | None:
    """Cut a network before the linear map of its head: from now on it gives what went in there.

    Returns:
        What was cut off; None where there is none, and the network is as it was.
    """
    for around, name in HEADS:
        with contextlib.suppress(AttributeError):
            owner = network.get_submodule(around)
            if isinstance(last := getattr(owner, name), nn.Linear):
                setattr(owner, name, nn.Identity())
                return last
    return None


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


def _module(named: Any) -> ShelfModule:
    """The module of the shelf that a run file names, by its name alone or by `kind` and arguments.

    Raises:
        ValueError: there is none.
    """
    from ..shelf.kinds import modules_of

    arguments = {"kind": named} if isinstance(named, str) else dict(named)
    kind = arguments.pop("kind", None)
    for port in ("vector", "tokens", "image"):
        for module in modules_of(port):
            if module.name == kind:
                return type(module)(**arguments)
    raise ValueError(f"expected a module of ours, got {kind!r}")
