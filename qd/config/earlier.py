"""Run files as the logs of earlier versions hold them, put into today's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .data_folders import moved
from .models import RunFile
from .reading import check


def from_log(data: Mapping[str, Any], name: str) -> RunFile:
    """Validate the run file that a log holds, also one that an earlier version wrote.

    Raises:
        UsageError: one line for every offending key.
    """
    data = dict(data)
    latency = data.pop("latency", None)  # a section of its own until metrics became a list
    if latency is not None:
        data["metrics"] = [{"kind": "latency", **latency}]
    if "emitters" in data:
        data["emitters"] = [_emitter(one) for one in data["emitters"]]
    if isinstance(data.get("evaluator"), Mapping):
        data["evaluator"] = moved(data["evaluator"])
    return check(data, name)


def _emitter(data: Mapping[str, Any]) -> dict[str, Any]:
    """Where the surrogate of `guided` was called its guide."""
    if data.get("kind") != "guided":
        return dict(data)
    return {"surrogate" if key == "guide" else key: value for key, value in data.items()}
