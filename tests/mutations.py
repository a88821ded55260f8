"""Plain data changed at random in one place, as a careless or malicious hand would: for seeded fuzz tests."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

DEEP: Any = "x"
for _ in range(80):
    DEEP = [DEEP]

ODD: list[Any] = [
    *[None, True, False, 0, -0.0, -1, 1, 2, 1.5, -1e308, 1e308, 5e-324, float("inf"), float("nan")],
    *[10**12, 2**53, 2**63, 10**30, 10**400, -(2**70)],
    *["", "x", "\x00", "../..", "\ud800", "no", "a" * 5000],
    *[[], [1], [[]], [None] * 3, {}, {"kind": "x"}, {"": {}}, DEEP],
]


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key or index) of every value in it."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield data, key
        yield from places(value)


def mutate(data: Any, rng: random.Random) -> str:
    """Change plain data in one place; returns what was done."""
    container, key = rng.choice(list(places(data)))
    kind = rng.random()
    if kind < 0.15:
        del container[key]
        return f"{key!r} is gone"
    if kind < 0.25 and isinstance(container, dict):
        container[f"{key}x"] = container.pop(key)
        return f"{key!r} is called {key}x"
    if kind < 0.35 and isinstance(container[key], list):
        container[key] = container[key] * rng.choice([0, 2, 300])
        return f"{key!r} has {len(container[key])} entries"
    container[key] = copy.deepcopy(rng.choice(ODD))
    return f"{key!r} is {ascii(container[key])[:60]}"
