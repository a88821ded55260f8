"""Run files as the logs of earlier versions hold them, put into today's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .earlier_evaluators import moved
from .models import RunFile
from .reading import check


def from_log(data: Any, name: str) -> RunFile:
    """Validate the run file that a log holds, also one that an earlier version wrote.

    Raises:
        UsageError: there is none, or one line for every offending key.
    """
    if not isinstance(data, Mapping):
        raise UsageError(f"{name}: the log is damaged (it holds no run file); it was left untouched")
    data = dict(data)
    latency = data.pop("latency", None)  # a section of its own until metrics became a list
    if isinstance(latency, Mapping):
        data["metrics"] = [{"kind": "latency", **latency}]
    search = data.get("search")
    early = isinstance(search, Mapping) and "screen" not in search
    if isinstance(data.get("emitters"), list):
        data["emitters"] = [_emitter(one, early) if isinstance(one, Mapping) else one for one in data["emitters"]]
    if isinstance(data.get("evaluator"), Mapping):
        data["evaluator"] = moved(data["evaluator"])
    if isinstance(search, Mapping) and early:
        data["search"] = {**search, "screen": False}  # nothing was, until there was a key
    return check(data, name)


EARLY_GUIDED = {"surrogate": "forest", "pool": 500, "fresh": 0.5, "rounds": 1, "explore": 0.1, "trees": 64}
"""Defaults of `guided` before proposals were screened: a search goes on with the model that it began with."""


def _emitter(data: Mapping[str, Any], early: bool) -> dict[str, Any]:
    """Where the surrogate of `guided` was called its guide, or had other defaults."""
    if data.get("kind") != "guided":
        return dict(data)
    renamed = {"surrogate" if key == "guide" else key: value for key, value in data.items()}
    return {**EARLY_GUIDED, **renamed} if early else renamed
