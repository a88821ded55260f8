"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .bounds import check_plain
from .files import read_text


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises:
        OSError: it cannot be read.
        ValueError: as of `read_text` and `parse_json`; without the path.
    """
    return parse_json(read_text(path))


def parse_json(text: str, infinite: bool = False) -> Any:
    """Decode JSON.

    Args:
        text: JSON alone.
        infinite: whether `Infinity` and `NaN`, which Python writes and JSON does not know, may stand for numbers.

    Raises:
        ValueError: it is none, a key stands twice, or it is beyond the bounds of `check_plain`.
    """
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("not valid JSON: nested too deeply") from None
    except ValueError as error:
        # Python refuses to convert numbers of more than 4,300 digits
        raise ValueError(f"not valid JSON: {error}") from None
    check_plain(data, infinite)
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)[:80]!r} stands twice")
    return found
