"""Errors of a run file in words: which key, what was expected, what came."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ..errors import clipped, shown, suggest


def dotted(location: Sequence[str | int]) -> str:
    """('archive', 'measures', 0, 'low') → "archive.measures[0].low"."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def explain(item: Any, data: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One line for one of pydantic's errors: the key, what was expected, and the near miss.

    Args:
        item: of `ValidationError.errors()`.
        data: what was validated.
        model: what it was validated as.
    """
    location, kind, message = item["loc"], item["type"], item["msg"]
    key = clipped(dotted(location))
    if kind == "extra_forbidden":
        return f"{key}: unknown key{suggest(str(location[-1]), _fields_at(model, location[:-1]))}"
    if kind == "missing":
        unknown = _mapping_at(data, location[:-1]).keys() - set(_fields_at(model, location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), sorted(map(str, unknown)), n=1)
        return f"{key}: this key is missing" + (f" (is {near[0]!r} a misspelling of it?)" if near else "")
    if kind == "model_type":
        return f"{key}: expected keys ({', '.join(_fields_at(model, location))}), got {shown(item['input'])}"
    if kind == "value_error":
        return f"{key}: {message.removeprefix('Value error, ')}" if key else message.removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, got {shown(item['input'])}"


def _fields_at(model: Any, location: Sequence[str | int]) -> list[str]:
    for part in location:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            annotation = model.model_fields[part].annotation if part in model.model_fields else None
            inner = getattr(annotation, "__args__", None)
            model = inner[0] if inner else annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _mapping_at(data: Any, location: Sequence[str | int]) -> dict[str, Any]:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return data if isinstance(data, dict) else {}
