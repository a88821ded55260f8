"""Folders of data sets, which were keys of the evaluator before they became keys of the data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = {
    "image_classification": {"folder": None},
    "task_stream": {"mnist_folder": "mnist", "fashion_mnist_folder": "fashion_mnist"},
}
"""{evaluator: {key: the data set whose folder it named; None: whichever it had}}."""


def moved(evaluator: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evaluator's section of a run file with such keys in their place of today."""
    found = dict(evaluator)
    for key, data_set in KEYS.get(str(found.get("kind")), {}).items():
        folder = found.pop(key, None)
        if folder is None:
            continue
        if data_set is None:
            found["data"] = _in_folder(found.get("data", "digits"), folder)
        elif isinstance(found.get("tasks"), list | tuple):
            found["tasks"] = [
                {**task, "data": _in_folder(data_set, folder)} if task.get("data") == data_set else task
                for task in found["tasks"]
            ]
    return found


def refuse(evaluator: Any) -> None:
    """Say of such a key what to write in its place.

    Raises:
        ValueError: there is one.
    """
    if not isinstance(evaluator, Mapping):
        return
    for key, data_set in KEYS.get(str(evaluator.get("kind")), {}).items():
        if key not in evaluator:
            continue
        if evaluator[key] is None:
            raise ValueError(f"evaluator.{key}: is a key of the data set now; leave this key out")
        data = _in_folder(data_set or evaluator.get("data", "digits"), evaluator[key])
        written = ", ".join(f"{name}: {value}" for name, value in data.items())
        where = "" if data_set is None else ", in every task that it belongs to"
        raise ValueError(f"evaluator.{key}: is a key of the data set now; write data: {{{written}}}{where}")


def _in_folder(data: Any, folder: Any) -> dict[str, Any]:
    given = dict(data) if isinstance(data, Mapping) else {"kind": data}
    return {**given, "folder": folder}
