"""Evaluators as run files of earlier versions have them, put into today's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRAINING = ("epochs", "batch_size", "optimiser", "learning_rate", "weight_decay", "schedule")
"""Were keys of the evaluator, and are keys of `training`."""
SPLIT = {"train_examples": "train", "validation_examples": "validation", "split_seed": "seed"}
"""Were keys of the evaluator, and are keys of the data set's `split`."""
FOLDERS = {"mnist_folder": "mnist", "fashion_mnist_folder": "fashion_mnist"}
"""Were keys of `task_stream`, and are the key `folder` of the data set."""
STREAM_DEFAULTS = {"epochs": 3, "batch_size": 50, "learning_rate": 0.003}
"""What `task_stream` took where nothing was said."""


def moved(evaluator: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evaluator's section of a run file with such keys in their place of today."""
    found = dict(evaluator)
    if found.get("kind") == "image_classification":
        return _supervised(found)
    if found.get("kind") == "task_stream" and "training" not in found:
        return _stream(found)
    return found


def refuse(evaluator: Any) -> None:
    """Say of such keys what to write in their place.

    Raises:
        ValueError: there are some.
    """
    if not isinstance(evaluator, Mapping):
        return
    old = {*TRAINING, "bfloat16", *FOLDERS} & {*evaluator}
    if evaluator.get("kind") == "image_classification":
        raise ValueError(
            f"evaluator: image_classification is supervised now; write evaluator: {_text(moved(evaluator))}"
        )
    if evaluator.get("kind") == "task_stream" and old:
        rest = {name: value for name, value in evaluator.items() if name != "training"}
        raise ValueError(f"evaluator.{min(old)}: stands elsewhere now; write evaluator: {_text(moved(rest))}")


def _supervised(found: dict[str, Any]) -> dict[str, Any]:
    data = found.pop("data", "digits")
    data = dict(data) if isinstance(data, Mapping) else {"kind": data}
    if (folder := found.pop("folder", None)) is not None:
        data["folder"] = folder
    split = {new: found.pop(old) for old, new in SPLIT.items() if old in found}
    split = {name: value for name, value in split.items() if value is not None}
    if split:
        data["split"] = split
    training = _training(found)
    return {
        **found,
        "kind": "supervised",
        "data": data["kind"] if len(data) == 1 else data,
        **({"training": training} if training else {}),
    }


def _stream(found: dict[str, Any]) -> dict[str, Any]:
    folders = {data: found.pop(key) for key, data in FOLDERS.items() if key in found}
    if isinstance(found.get("tasks"), list | tuple):
        found["tasks"] = [
            {**task, "data": {"kind": task["data"], "folder": folders[task["data"]]}}
            if isinstance(task, Mapping) and isinstance(task.get("data"), str) and folders.get(task["data"]) is not None
            else task
            for task in found["tasks"]
        ]
    training = {**STREAM_DEFAULTS, **_training(found)}
    return {**found, "training": training}


def _training(found: dict[str, Any]) -> dict[str, Any]:
    training = {name: found.pop(name) for name in TRAINING if name in found}
    if found.pop("bfloat16", False):
        training["precision"] = "bfloat16"
    return training


def _text(data: Any) -> str:
    """In one line, as YAML has it."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{name}: {_text(value)}" for name, value in data.items()) + "}"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(map(_text, data)) + "]"
    return str(data)
