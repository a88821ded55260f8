"""What an array of inputs is: images, series or vectors, and which of its axes the channels are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from search_spaces.task import Image, Series, Vector

from .rows import Inputs, blocks

InputName = Literal["image", "series", "vector"]
WORDS: dict[InputName, str] = {"image": "images", "series": "series", "vector": "vectors"}
MOST_CHANNELS = 4
"""Of images, where nobody says which axis they are."""


@dataclass(frozen=True)
class Layout:
    """How rows of a network are made of an array.

    Args:
        input: what they are.
        size: (N, ...) into which the array is shaped; then
        axes: are put into this order.
        said: what was guessed, for people; empty: nothing.
    """

    input: Image | Series | Vector
    size: tuple[int, ...]
    axes: tuple[int, ...]
    said: str = ""

    @property
    def described(self) -> str:
        """For people."""
        one = self.input
        if isinstance(one, Image):
            return f"images of {one.height} x {one.width} pixels, {one.channels} channels"
        if isinstance(one, Series):
            return f"series of {one.steps} steps, {one.channels} channels"
        return f"vectors of {one.features} numbers"


def find_layout(
    shape: Sequence[int],
    dtype: np.dtype,
    name: InputName | None,
    channels: Literal["first", "last"] | None,
    where: str,
) -> Layout:
    """What an array (N, ...) is; `name` and `channels` as the kind `arrays` has them.

    Raises:
        ValueError: it cannot be told, or the array has other axes.
    """
    shown = f"{dtype} {tuple(shape)}"
    if dtype.kind not in "biuf" or not math.prod(shape):
        raise ValueError(f"data: {where}: expected numbers, got {shown}")
    axes = len(shape)
    found = name or _guessed(axes, dtype, where, shown)
    said = ""
    if name is None and axes == 3:
        other = "series" if found == "image" else "image"
        said = f"{where}: {shown} is taken as {WORDS[found]}; say input: {other} if they are these"
    if channels is not None and (found, axes) not in (("image", 4), ("series", 3)):
        raise ValueError(
            f"data: channels: {where} is {shown} and taken as {WORDS[found]}, which have no axis of channels"
        )
    if found == "vector":
        size = (shape[0], math.prod(shape[1:]))
        return Layout(Vector(size[1]), size, (0, 1), said)
    wanted = {"image": (3, 4), "series": (2, 3)}[found]
    if axes not in wanted:
        raise ValueError(f"data: {where}: expected {wanted[0]} or {wanted[1]} axes of {WORDS[found]}, got {shown}")
    if found == "series":
        size = (*shape, 1) if axes == 2 else tuple(shape)
        order = (0, 2, 1) if channels == "first" else (0, 1, 2)
        return Layout(Series(*(size[axis] for axis in order[1:])), size, order, said)
    size = (shape[0], 1, *shape[1:]) if axes == 3 else tuple(shape)
    first = axes == 3 or (channels or _channels(shape, where, shown)) == "first"
    order = (0, 1, 2, 3) if first else (0, 3, 1, 2)
    return Layout(Image(*(size[axis] for axis in order[1:])), size, order, said)


def _guessed(axes: int, dtype: np.dtype, where: str, shown: str) -> InputName:
    if not 1 <= axes <= 4:
        raise ValueError(f"data: {where}: expected 2 to 4 axes, got {shown}; say input: vector to flatten them")
    return ("vector", "vector", "image" if dtype == np.uint8 else "series", "image")[axes - 1]


def _channels(shape: Sequence[int], where: str, shown: str) -> Literal["first", "last"]:
    first, last = shape[1] <= MOST_CHANNELS, shape[3] <= MOST_CHANNELS
    if first == last:
        raise ValueError(f"data: {where}: which axis of {shown} are the channels? Say channels: first, or last")
    return "first" if first else "last"


def refuse_not_finite(inputs: Inputs, layout: Layout, where: str) -> None:
    """Raise `ValueError` where a number is none, is infinite, or too large for single precision.

    Numbers that are missing at the end of a series are padding.
    """
    if inputs.dtype.kind != "f":
        return
    missing, infinite, first, start = 0, 0, [], 0
    for block in blocks(inputs):
        none = np.isnan(block)
        with np.errstate(over="ignore"):
            beyond = np.isinf(block.astype(np.float32, copy=False))
        if isinstance(layout.input, Series):  # from some step to the end is padding, from the first there is nothing
            empty, resumed = none[:, 0].all(1, keepdims=True), (none[:, :-1] & ~none[:, 1:]).any(1)
            none = np.concatenate([empty, resumed], 1)
        rows = none.reshape(len(block), -1).any(1), beyond.reshape(len(block), -1).any(1)
        missing, infinite = missing + int(rows[0].sum()), infinite + int(rows[1].sum())
        first += (start + np.flatnonzero(rows[0] | rows[1])[: 5 - len(first)]).tolist()
        start += len(block)
    if missing or infinite:
        but = " (but for NaN at the end of a series)" if isinstance(layout.input, Series) else ""
        raise ValueError(
            f"data: {where}: expected numbers{but}, and of {len(inputs):,} examples {missing:,} hold NaN and"
            f" {infinite:,} infinite or too large ones (examples {', '.join(map(str, first))}, counted from 0); leave"
            " these out, or replace the numbers"
        )
