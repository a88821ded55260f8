"""Libraries of trained modules, for Python: `qd.library.build`, `list` and `show`, as `qd library` has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError, suggest
from .library import build_library as build
from .library import open_library

if TYPE_CHECKING:
    from search_spaces.library import ModuleRecord

__all__ = ["build", "list", "show"]


def list(folder: Path | str) -> tuple[ModuleRecord, ...]:
    """The modules of a library.

    Raises:
        UsageError: the library is missing, empty, damaged or changed.
    """
    return tuple(open_library(folder))


def show(folder: Path | str, name: str) -> ModuleRecord:
    """What is known of a module.

    Raises:
        UsageError: there is no such module, or no such library.
    """
    records = {record.name: record for record in list(folder)}
    if name not in records:
        raise UsageError(f"{folder}: there is no module {name!r}{suggest(name, [*records])}")
    return records[name]
