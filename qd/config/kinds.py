"""What a run file's keys mean depends on the kinds that it names: which are left over, and which are places.

Where a change names another kind, keys of the old one are left over; they go, but for those that the new one has. A key
whose argument is annotated with `Path` is a place, and is made absolute: what a run file says is relative to its
folder, what a person types relative to the working directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

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


class Kinds(Protocol):
    """Knows kinds and their keys: a `Registry`."""

    def has_key(self, room: str, kind: str, key: str) -> bool:
        """Whether this may stand beside a kind."""
        ...

    def takes_path(self, room: str, kind: str, key: str) -> bool:
        """Whether this is a place."""
        ...


def settled(old: Any, new: Any, kinds: Kinds, home: Path, section: str = "") -> Any:
    """Plain data of a run file after changes, without what is left over, and with places made absolute.

    Args:
        old: before the changes; None where there was nothing.
        new: after them.
        kinds: that may be named.
        home: what places among the changes are relative to.
        section: the name under which this part of it stands.
    """
    if isinstance(new, list):
        before = [*(old if isinstance(old, list) else []), *[None] * len(new)]
        return [settled(before[index], item, kinds, home, section) for index, item in enumerate(new)]
    if not isinstance(new, dict):
        return new
    known = old if isinstance(old, dict) else {}
    kind = new.get("kind")
    room = ROOMS.get(section) if isinstance(kind, str) else None
    another = "kind" in known and kind != known["kind"]
    kept = {}
    for key, value in new.items():
        changed = key not in known or known[key] != value
        its_own = changed or key == "kind" or key in BESIDE.get(section, ())
        if room and another and not its_own and not kinds.has_key(room, str(kind), key):
            continue
        if room and isinstance(value, str) and changed and kinds.takes_path(room, str(kind), key):
            kept[key] = str(home / Path(value).expanduser())
        else:
            kept[key] = settled(known.get(key), value, kinds, home, str(key))
    return kept


def places_as_given(given: Any, found: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(key, place) of all places that were made absolute: as they were given."""
    if isinstance(given, dict) and isinstance(found, dict):
        for key in given.keys() & found.keys():
            yield from places_as_given(given[key], found[key], f"{where}.{key}" if where else str(key))
    elif isinstance(given, list) and isinstance(found, list):
        for index, (one, other) in enumerate(zip(given, found, strict=True)):
            yield from places_as_given(one, other, f"{where}[{index}]")
    elif isinstance(given, str) and given != found:
        yield where, given
