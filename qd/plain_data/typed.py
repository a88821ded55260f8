"""Plain data of the types that are expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from ..errors import shown


def typed(value: Any, annotation: Any, where: str = "") -> Any:
    """The value as an annotation has it, checked strictly: a list may stand for a tuple, and text for a path.

    Args:
        value: plain data.
        annotation: a type, or a class of pydantic's or a dataclass, whose fields are keys.
        where: the key that the value stands behind, for messages.

    Raises:
        ValueError: it is something else; names the key.
    """
    try:
        # as JSON: there a list may stand for a tuple, and a string for a path, which strict Python values may not
        return TypeAdapter(annotation).validate_json(to_json(value, inf_nan_mode="constants"), strict=True)
    except PydanticSerializationError:
        raise ValueError(f"{where}: expected numbers, text, lists or mappings, got {shown(value)}") from None
    except ValidationError as error:
        first = error.errors()[0]
    place, here = where, value
    for part in first["loc"]:  # between the keys stand branches of unions, which are nobody's words
        if isinstance(part, int):
            place += f"[{part}]"
            here = here[part] if isinstance(here, list | tuple) and part < len(here) else None
        elif isinstance(here, Mapping) and (part in here or first["type"] == "missing"):
            place += f".{part}" if place else str(part)
            here = here.get(part)
    place = f"{place}: " if place else ""
    if first["type"] == "extra_forbidden":
        raise ValueError(f"{place}unknown key")
    if first["type"] == "missing":
        raise ValueError(f"{place}this key is missing")
    message = first["msg"].removeprefix("Value error, ")
    raise ValueError(f"{place}{message[0].lower()}{message[1:]}, got {shown(first['input'])}")
