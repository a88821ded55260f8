"""Where a change names another kind, keys of the old one are left over; they go, but for those that the new one has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .models import ArchiveConfig, EmitterConfig

ROOMS = {
    "space": "spaces",
    "evaluator": "evaluators",
    "data": "data",
    "archive": "archives",
    "emitters": "emitters",
    "executor": "executors",
    "metrics": "metrics",
}
"""{key of a run file: the room of the kinds that stand under it}."""
BESIDE = {"archive": {*ArchiveConfig.model_fields}, "emitters": {*EmitterConfig.model_fields}}
"""{key: what stands beside every kind}."""

HasKey = Callable[[str, str, str, str], bool]
"""Whether of a room's kind this is a key; the last argument is the kind's place in the run file, for messages."""


def without_left_over(old: Any, new: Any, has_key: HasKey, where: str = "", section: str = "") -> Any:
    """Plain data of a run file after changes, less what belonged to kinds that it has no more.

    Args:
        old: before the changes.
        new: after them.
        has_key: see above.
        where: the key of this part.
        section: the last name of that key.
    """
    if isinstance(new, list) and isinstance(old, list):
        before = [*old, *[None] * len(new)]
        return [
            without_left_over(before[index], item, has_key, f"{where}[{index}]", section)
            for index, item in enumerate(new)
        ]
    if not isinstance(new, dict) or not isinstance(old, dict):
        return new
    kept = {}
    kind, room = new.get("kind"), ROOMS.get(section)
    another = room is not None and isinstance(kind, str) and kind != old.get("kind")
    for key, value in new.items():
        its_own = key == "kind" or key in BESIDE.get(section, ()) or key not in old or old[key] != value
        if not another or its_own or has_key(str(room), str(kind), key, where):
            kept[key] = without_left_over(old.get(key), value, has_key, f"{where}.{key}" if where else key, key)
    return kept
