"""The modules that come with `qd`, by port."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from functools import cache

from ..base import Task
from ..task import NextToken
from .base import PortKind, ShelfModule


@cache
def modules_of(port: PortKind) -> tuple[ShelfModule, ...]:
    """All modules of the shelf that have a port, without arguments, sorted by name."""
    package = __name__.rpartition(".")[0]
    search = importlib.import_module(package).__path__
    found = {
        value
        for module in pkgutil.iter_modules(search)
        for value in vars(importlib.import_module(f"{package}.{module.name}")).values()
        if inspect.isclass(value) and issubclass(value, ShelfModule) and not inspect.isabstract(value)
    }
    return tuple(sorted((cls() for cls in found if port in cls.ports), key=lambda module: module.name))


def chosen(port: PortKind, modules: Sequence[ShelfModule] | None) -> dict[str, ShelfModule]:
    """{name: module} of those that a run file names; of None all of the shelf.

    Raises:
        ValueError: there is none, one has another port, or two have one name.
    """
    given = modules_of(port) if modules is None else tuple(modules)
    if not given:
        raise ValueError("modules: expected at least one, got none")
    found: dict[str, ShelfModule] = {}
    for module in given:
        if port not in module.ports:
            raise ValueError(
                f"modules: {module.name} is for {' and '.join(module.ports)}, and this space's port is {port};"
                " `qd modules` lists the modules of each port"
            )
        if module.name in found:
            raise ValueError(f"modules: there are two of the name {module.name}; name each once")
        found[module.name] = module
    return found


def is_own(module: ShelfModule) -> bool:
    """Whether a module comes with `qd`."""
    return type(module).__module__.startswith(f"{__name__.partition('.')[0]}.")


def check_causal(task: Task, modules: Sequence[ShelfModule]) -> None:
    """Refuse modules that look at later steps where the next token is asked for.

    Raises:
        ValueError: names them, and what is left.
    """
    looking = [module.name for module in modules if not module.causal]
    if isinstance(task.output, NextToken) and looking:
        left = ", ".join(module.name for module in modules if module.causal)
        raise ValueError(
            f"the data asks for next tokens, and {', '.join(looking)} look at later ones; write `modules: [{left}]`"
        )
