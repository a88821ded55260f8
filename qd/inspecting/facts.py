"""What was read: shapes, classes, values, what is missing, what is there twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from evaluators.data import DataSet, Examples, Part
from search_spaces.task import Classes, NextToken, Tokens, Values

AT_ONCE = 2**26
"""Bytes of inputs that are looked at together."""
FEW = 10
"""Training examples of a class that are said to be few, if there are fewer."""
RARE = 20
"""Times that the largest class may have what the smallest has before it is said."""


def facts(data: DataSet) -> dict[str, Any]:
    """Plain data about all examples; test inputs and targets are counted, and never predicted.

    Args:
        data: that passed the door.
    """
    splits = data.splits()
    parts = {part.name.lower(): splits.part(part) for part in Part}
    raw = splits.train.inputs
    looked_at = {name: _inputs(part) for name, part in parts.items()}
    described = data.describe()
    missing: Counter[str] = Counter()
    for _, gone in looked_at.values():
        missing.update(gone)
    found: dict[str, Any] = {
        "name": data.name,
        "licence": data.licence,
        "task": data.task.plain(),
        "read": {"shape": list(raw.shape[1:]), "type": str(raw.dtype)},
        "parts": {name: len(part) for name, part in parts.items()},
        "split": asdict(data.split),
        "classes": _classes(data, parts),
        "values": _values(data, parts),
        "inputs": None if isinstance(data.task.input, Tokens) else looked_at["train"][0],
        "described": described,
        "missing": {} if described else dict(missing),
        "duplicates": _duplicates(data, parts),
    }
    return found | {"warnings": list(_warnings(found))}


def _blocks(part: Examples) -> Iterator[np.ndarray]:
    """Its inputs, as many at once as memory is well spent on."""
    bytes_of_one = max(1, int(np.prod(part.inputs.shape[1:])) * part.inputs.dtype.itemsize)
    size = max(1, AT_ONCE // bytes_of_one)
    for start in range(0, len(part), size):
        yield part.inputs[start : start + size]


def _inputs(part: Examples) -> tuple[dict[str, Any], dict[str, int]]:
    """Range and constants of inputs, and how many numbers are missing, by feature where there are features."""
    low, high, total, count = np.inf, -np.inf, 0.0, 0
    least: np.ndarray | None = None
    most: np.ndarray | None = None
    gone: np.ndarray | None = None
    for block in _blocks(part):
        numbers = block.reshape(len(block), -1)
        there = ~np.isnan(numbers) if numbers.dtype.kind == "f" else np.ones(numbers.shape, bool)
        lows, highs = np.where(there, numbers, np.inf).min(0), np.where(there, numbers, -np.inf).max(0)
        least = lows if least is None else np.minimum(least, lows)
        most = highs if most is None else np.maximum(most, highs)
        gone = (~there).sum(0) + (0 if gone is None else gone)
        low, high = min(low, lows.min()), max(high, highs.max())
        total, count = total + float(np.where(there, numbers, 0).sum(dtype=np.float64)), count + int(there.sum())
    assert least is not None and most is not None and gone is not None
    known = least <= most
    ranges = {
        "low": float(low) if count else None,
        "high": float(high) if count else None,
        "mean": total / count if count else None,
        "numbers": len(least),
        "constant": int((known & (least == most)).sum()),
    }
    shape = part.inputs.shape[1:]
    by_feature = gone.reshape(-1, shape[-1]).sum(0) if len(shape) in (1, 2) else gone.sum(keepdims=True)
    names = [f"input {index}" for index in range(len(by_feature))] if len(shape) in (1, 2) else ["pixels"]
    return ranges, {name: int(number) for name, number in zip(names, by_feature, strict=True) if number}


def _classes(data: DataSet, parts: dict[str, Examples]) -> list[dict[str, Any]] | None:
    output = data.task.output
    if not isinstance(output, Classes):
        return None
    counts = {name: np.bincount(part.targets, minlength=output.count) for name, part in parts.items()}
    names = data.class_names or tuple(map(str, range(output.count)))
    return [
        {"name": name, **{part: int(numbers[index]) for part, numbers in counts.items()}}
        for index, name in enumerate(names)
    ]


def _values(data: DataSet, parts: dict[str, Examples]) -> list[dict[str, Any]] | None:
    output = data.task.output
    if not isinstance(output, Values):
        return None
    train = parts["train"].targets.astype(np.float64)
    return [
        {
            "low": float(train[:, index].min()),
            "high": float(train[:, index].max()),
            "mean": float(train[:, index].mean()),
            "deviation": float(train[:, index].std()),
        }
        for index in range(output.count)
    ]


def _duplicates(data: DataSet, parts: dict[str, Examples]) -> dict[str, Any]:
    """Examples whose inputs an earlier one has: in the same part, in another part, and with another target."""
    digests = {name: _digests(part) for name, part in parts.items()}
    within = {name: int(len(found) - len(np.unique(found))) for name, found in digests.items()}
    names, across = list(digests), {}
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            across[f"{first} and {second}"] = int(np.isin(digests[second], digests[first]).sum())
    if isinstance(data.task.output, NextToken):
        return {"within": within, "across": across, "with another target": 0}
    everything = np.concatenate(list(digests.values()))
    targets = np.concatenate([part.targets.reshape(len(part), -1) for part in parts.values()])
    inverse = np.unique(everything, return_inverse=True)[1].ravel()
    first_of = np.zeros(inverse.max() + 1, np.int64)
    first_of[inverse[::-1]] = np.arange(len(inverse))[::-1]
    contrary = int((targets != targets[first_of[inverse]]).any(1).sum())
    return {"within": within, "across": across, "with another target": contrary}


def _digests(part: Examples) -> np.ndarray:
    """(N,) texts, the same for rows with equal inputs."""
    rows = (row for block in _blocks(part) for row in np.ascontiguousarray(block))
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in rows], "S32")


def _warnings(found: dict[str, Any]) -> Iterator[str]:
    """What a person may not have meant."""
    parts = found["parts"]
    for between, number in found["duplicates"]["across"].items():
        if number:
            yield f"{number:,} examples have inputs that are in {between}: what is learnt there is asked again"
    if number := found["duplicates"]["with another target"]:
        yield f"{number:,} examples have the inputs of another one and another target: nobody can tell them all"
    if found["classes"]:
        least, most = (choose(found["classes"], key=lambda one: one["train"]) for choose in (min, max))
        if least["train"] < FEW:
            few = sum(one["train"] < FEW for one in found["classes"])
            yield (
                f"{few} of {len(found['classes'])} classes have fewer than {FEW} training examples"
                f" ({least['name']}: {least['train']})"
            )
        if most["train"] > RARE * least["train"]:
            yield (
                f"classes are uneven ({most['name']}: {most['train']:,}, {least['name']}: {least['train']:,});"
                " accuracy says little of the rare ones: metrics: [balanced_accuracy]"
            )
    if found["inputs"] and (number := found["inputs"]["constant"]):
        yield f"{number:,} of {found['inputs']['numbers']:,} inputs are the same in all training examples"
    total = sum(parts.values())
    for name, number in found["missing"].items():
        if number > total / 2:
            yield f"more than half of {name} is missing ({number:,} of {total:,})"
