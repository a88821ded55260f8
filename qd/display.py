"""What a notebook shows of an object. Its class says that there is something to show; the top floor says what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Displayed:
    """Shows itself in a notebook, as `show_by` was told to."""

    def _repr_html_(self) -> str | None:
        return _html(self)


def show_by(html: Callable[[Any], str | None]) -> None:
    """Let everything that is `Displayed` show itself by this function, which gives HTML or None for the plain text."""
    global _html
    _html = html


def _plain(thing: Any) -> str | None:
    return None


_html: Callable[[Any], str | None] = _plain
