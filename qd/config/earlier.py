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
    if isinstance(data.get("emitters"), list):
        data["emitters"] = [_emitter(one) if isinstance(one, Mapping) else one for one in data["emitters"]]
    if isinstance(data.get("evaluator"), Mapping):
        data["evaluator"] = moved(data["evaluator"])
    if isinstance(data.get("search"), Mapping):
        data["search"] = {"screen": False, **data["search"]}  # nothing was, until there was a key
    return check(data, name)


def _emitter(data: Mapping[str, Any]) -> dict[str, Any]:
    """Where the surrogate of `guided` was called its guide."""
    if data.get("kind") != "guided":
        return dict(data)
    return {"surrogate" if key == "guide" else key: value for key, value in data.items()}
