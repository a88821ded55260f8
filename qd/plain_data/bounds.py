"""How deep and how large plain data may be, and which numbers and texts it may hold."""

from __future__ import annotations

import math
from typing import Any

DEEPEST = 64
"""Lists and dicts in one another; ours have fewer than twenty."""
MOST_VALUES = 2_000_000
"""Values in all, those that are referred to several times counted as often."""


def check_plain(data: Any, infinite: bool = False) -> None:
    """Refuse what a reader, a log or a terminal would stumble over later.

    Args:
        data: lists, dicts and what is in them; values of other types are let through.
        infinite: whether numbers may be infinite or NaN.

    Raises:
        ValueError: it is too deep (or holds itself) or too large, a number is too large or not finite, or a text is no
            Unicode.
    """
    level, seen = [data], 0
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value)
                inner.extend(value.values())
            elif isinstance(value, list | tuple):
                inner.extend(value)
            else:
                _check_value(value, infinite)
            if seen + len(inner) > MOST_VALUES:
                raise ValueError(f"more than {MOST_VALUES:,} values, counting what aliases repeat")
        if not inner:
            return
        level, seen = inner, seen + len(inner)
    raise ValueError(f"nested deeper than {DEEPEST} levels")


def _check_value(value: Any, infinite: bool) -> None:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"text that is no Unicode: {value[error.start]!a}") from None
    elif kind is float:
        if not infinite and not math.isfinite(value):
            raise ValueError(f"a number that is not finite: {value}")
    elif kind is int:
        try:
            float(value)
        except OverflowError:
            raise ValueError("a whole number beyond 1.8e308, the greatest that can be computed with") from None
