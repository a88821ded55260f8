"""Spaces of this package by the name of their file."""

from __future__ import annotations

import importlib
import re

from .base import SearchSpace


def built_in_space(name: str) -> type[SearchSpace]:
    """The search space that the file `name` of this package defines.

    Raises:
        ValueError: there is none.
    """
    package = __name__.rpartition(".")[0]
    if re.fullmatch(r"[a-z_]+", name):
        try:
            module = importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError:
            module = None
        for value in vars(module).values() if module else ():
            if isinstance(value, type) and issubclass(value, SearchSpace) and value.__module__ == f"{package}.{name}":
                return value
    raise ValueError(f"expected a search space of this package, got {name!r}")
