"""From a file and what the command line changes of it to a checked run file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import UsageError, clipped, shown
from ..plain_data import check_plain, parse_yaml, read_text
from .kinds import Kinds, settled
from .messages import explain
from .models import RunFile

SHORT_FORMS = {"objective": "metric", "log": "keep", **dict.fromkeys(("executor", "metrics", "data"), "kind")}
"""Keys that may be written as one word, or as a list of them, and the key that a word then stands for."""

MOST_LINES = 10
"""Of an error that names every offending key."""
KEY = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[[^.\[\]]+\])*")
"""Names behind dots, and indices in brackets or behind dots."""


def load(path: Path, overrides: Mapping[str, Any] | Sequence[str] = (), kinds: Kinds | None = None) -> RunFile:
    """Read a run file and lay the overrides over it.

    Args:
        path: a YAML file.
        overrides: "archive.measures[0].bins=10" strings, or a mapping of keys (dotted or nested) to values.
        kinds: as for `override`; what the file names as places is relative to its folder.

    Raises:
        UsageError: naming file, key, what was expected and, for a misspelt key, the near miss.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        reason = "no such file" if isinstance(error, FileNotFoundError) else reason
        raise UsageError(f"{path}: {reason}; expected a run file in YAML, e.g. scripts/runs/fashion_moe.yaml") from None
    data, here = parse(text, str(path)), Path.cwd()  # before a plug-in is imported, which may change it
    if kinds is not None:
        data = settled(None, data, kinds, path.resolve().parent)
    return check(override(data, overrides, str(path), kinds, here), str(path))


def parse(text: str, name: str) -> dict[str, Any]:
    """Parse the YAML of a run file.

    Raises:
        UsageError: it is not YAML, a key stands twice, or it is not a mapping.
    """
    try:
        data = parse_yaml(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{name}: expected keys such as space, evaluator, archive and budget, got {shown(data)}")
    return data


def override(
    data: dict[str, Any],
    overrides: Mapping[str, Any] | Sequence[str],
    name: str,
    kinds: Kinds | None = None,
    home: Path | None = None,
) -> dict[str, Any]:
    """Return a copy of `data` with every override put in its place; lists are indexed as `measures[0]` or `measures.0`.

    Args:
        data: of a run file.
        overrides: as for `load`.
        name: of the file, for messages.
        kinds: a `Registry`. Where an override names another kind, it says which keys of the old one stay; what it
            calls a place is made absolute. Without it the data is only looked at.
        home: what places among the overrides are relative to; default: the working directory.

    Raises:
        UsageError: an override is not key=value, or an index is out of range.
    """
    pairs = list(overrides.items()) if isinstance(overrides, Mapping) else [_pair(item) for item in overrides]
    result = _copy(data)
    for key, value in pairs:
        _put(result, key, value, name)
    return result if kinds is None else settled(data, result, kinds, home or Path.cwd())


def check(data: dict[str, Any], name: str) -> RunFile:
    """Validate plain data as a run file.

    Raises:
        UsageError: one line for every offending key.
    """
    try:
        check_plain(data, infinite=True)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    try:
        return RunFile.model_validate(data)
    except ValidationError as error:
        lines = list(dict.fromkeys(explain(item, data, RunFile) for item in error.errors()))
        if len(lines) > MOST_LINES:
            lines[MOST_LINES:] = [f"and {len(lines) - MOST_LINES} more keys"]
        raise UsageError("\n".join(f"{name}: {line}" for line in lines)) from None


def _pair(item: str) -> tuple[str, Any]:
    key, equals, text = item.partition("=")
    if not equals or not key:
        raise UsageError(f"{shown(item)}: expected key=value, e.g. budget.evaluations=100")
    try:
        return key, parse_yaml(text)
    except ValueError as error:
        raise UsageError(f"{shown(item)}: the value is {error}") from None


def _put(data: dict[str, Any], key: str, value: Any, name: str) -> None:
    if not KEY.fullmatch(key):
        raise UsageError(
            f"{name}: {shown(key)} names no key; write e.g. budget.evaluations=100 or archive.measures[0].bins=10"
        )
    parts = re.split(r"[.\[\]]+", key.removesuffix("]"))
    here: Any = data
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        inside = not last or isinstance(value, Mapping)
        if isinstance(here, list):
            if not re.fullmatch("[0-9]{1,9}", part) or int(part) >= len(here):
                raise UsageError(f"{name}: {clipped(key)}: expected an index below {len(here)}, got {shown(part)}")
            index: Any = int(part)
            if inside and depth and parts[depth - 1] in SHORT_FORMS and isinstance(here[index], str):
                here[index] = {SHORT_FORMS[parts[depth - 1]]: here[index]}  # of which `metrics[0].batch=1` is a part
        elif isinstance(here, dict):
            index = part
            if part in SHORT_FORMS and isinstance(here.get(part), str) and inside:
                here[part] = {SHORT_FORMS[part]: here[part]}  # of which `archive.objective.low=0` is a part
            elif not last and not isinstance(here.get(part), (dict, list)):
                here[part] = {}
        else:
            above = clipped(".".join(parts[:depth]))
            raise UsageError(f"{name}: {clipped(key)}: there is nothing below {above}, which is {shown(here)}")
        old = here[index] if isinstance(here, list) else here.get(index)
        if not last:
            here = old
        elif isinstance(value, Mapping) and isinstance(old, dict):
            for inner, item in value.items():
                _put(old, str(inner), item, name)
        else:
            here[index] = value


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(item) for key, item in data.items()}
    return [_copy(item) for item in data] if isinstance(data, list) else data
