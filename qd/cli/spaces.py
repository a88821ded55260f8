"""qd spaces."""

from __future__ import annotations

from search_spaces import SearchSpace

from ..registry import built_in, list_names


def spaces() -> None:
    """List the search spaces that a run file may name, with their genes.

    Example: `qd spaces`
    """
    for name in list_names("search_spaces"):
        space = built_in(name, "search_spaces", SearchSpace)
        if space is not None:
            print(f"{name}: {space().genes!r}")
