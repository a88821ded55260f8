"""qd spaces."""

from __future__ import annotations

from .output import write


def spaces() -> None:
    """List the search spaces that a run file may name, with their genes.

    Example: `qd spaces`
    """
    from ..runs.listing import spaces as find

    for name, genes in find().items():
        write(f"{name}: {genes!r}")
