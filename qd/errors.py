"""Errors for people: what was expected, what came, where, what to do. Shown without a traceback by the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LONGEST_SHOWN = 200
"""Characters of a value in a message."""
LONGEST_REASON = 600
"""Characters of what another's exception says."""


class QdError(Exception):
    """Something a person can fix; the message says how."""

    exit_status = 1


class UsageError(QdError):
    """Bad input, refused at the door: nothing was created and nothing was lost."""

    exit_status = 2


def shown(value: Any) -> str:
    """The value as Python writes it, for a message: its beginning alone where it is long."""
    return clipped(repr(value))


def clipped(text: object, most: int = LONGEST_SHOWN) -> str:
    """A text, or what an exception says, for a message: its beginning alone where it is long."""
    text = str(text)
    return text if len(text) <= most else f"{text[:most]}…"


def suggest(word: str, known: Sequence[str]) -> str:
    """'; did you mean 'x'?' where a known name is near, else the list of known names."""
    from difflib import get_close_matches

    near = get_close_matches(word[:LONGEST_SHOWN], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"
