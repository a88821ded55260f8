"""Files of series in the text format of the UCR and UEA archives (`.ts`: sktime, aeon)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qd.errors import shown

LARGEST = 2**31
"""Bytes of a file."""


@dataclass(frozen=True)
class SeriesFile:
    """What one holds.

    Args:
        series: N arrays (channels, steps), each of a length of its own; NaN where a value is missing.
        targets: N, as they are written.
        classes: that its head names; None where targets are values.
    """

    series: list[np.ndarray]
    targets: list[str]
    classes: tuple[str, ...] | None


def read_ts(path: Path) -> SeriesFile:
    """Read a file.

    Raises:
        ValueError: it is none, or not whole; names the line.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"data: {path} has {path.stat().st_size / 2**30:.1f} GB; keep such series in an .npz file")
    try:
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    except UnicodeDecodeError as error:
        raise ValueError(f"data: {path}: expected a .ts file, which is text in utf-8 ({error})") from None
    head = _read_head(lines, path)
    if head.get("timestamps") == ["true"]:
        raise ValueError(f"data: {path}: its values have times (@timeStamps true); only series of even steps are taken")
    asked = [name for name in ("classlabel", "targetlabel") if head.get(name, ["false"])[0] == "true"]
    if not asked:
        raise ValueError(f"data: {path}: expected @classLabel true and classes, or @targetLabel true, in its head")
    classes = tuple(head["classlabel"][1:]) if asked[0] == "classlabel" else None
    found = SeriesFile([], [], classes)
    channels: Counter[int] = Counter()
    for number, line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        *values, target = line.strip().split(":")
        where = f"data: {path}, line {number}"
        if not values:
            raise ValueError(f"{where}: expected a series, a colon and a target, got {shown(line)}")
        if classes is not None and target.strip() not in classes:
            raise ValueError(f"{where}: the class {shown(target.strip())} is none of {', '.join(classes)}")
        found.series.append(_read_series(values, where))
        found.targets.append(target.strip())
        channels[len(values)] += 1
    if not found.series:
        raise ValueError(f"data: {path}: there is no series behind @data")
    if len(channels) > 1:
        told = ", ".join(f"{count} of {size}" for size, count in channels.most_common())
        raise ValueError(f"data: {path}: expected series of as many channels each, got {told}")
    return found


def _read_head(lines: Iterator[tuple[int, str]], path: Path) -> dict[str, list[str]]:
    head: dict[str, list[str]] = {}
    for _, line in lines:
        words = line.strip().split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].lower() == "@data":
            return head
        if not words[0].startswith("@"):
            break
        name, *rest = words
        head[name[1:].lower()] = [rest[0].lower(), *rest[1:]] if rest else [""]
    raise ValueError(f"data: {path}: expected a .ts file: lines that begin with @, the last of them @data")


def _read_series(dimensions: list[str], where: str) -> np.ndarray:
    channels = []
    for text in dimensions:
        values = text.split(",")
        try:
            channels.append(np.array([np.nan if value.strip() == "?" else float(value) for value in values]))
        except ValueError:
            raise ValueError(f"{where}: expected numbers, or ? where one is missing, got {shown(text)}") from None
    series = np.full((len(channels), max(map(len, channels))), np.nan, np.float32)
    for row, channel in zip(series, channels, strict=True):
        row[: len(channel)] = channel
    return series
