"""What Ray's errors mean, in few words."""

from __future__ import annotations

import re

from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

ADVICE = re.compile(r"\s*Some common causes.*", re.DOTALL)
DETAIL = re.compile(r"(?:Worker exit detail: |The actor (?:is dead|died) because )(.*)", re.DOTALL)


def explain(error: Exception) -> str:
    """Return the reason alone, without Ray's identifiers and advice."""
    if isinstance(error, RayTaskError):
        cause = getattr(error, "cause", None) or error
        return f"{type(cause).__name__}: {cause}"
    text = str(error)
    if isinstance(error, OutOfMemoryError):
        return f"Ray ended it since the machine's memory was used up: {text}"
    if isinstance(error, RayActorError):
        while found := DETAIL.search(text):  # the innermost
            text = found[1]
        text = ADVICE.sub("", text)
    return " ".join(text.split())
