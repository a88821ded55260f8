"""What networks learn, out of a column of anything: classes with their names, or values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from search_spaces.task import Classes, Output, Values

TargetKind = Literal["classes", "values"]
MOST_CLASSES = 1000
"""Where there are more, it is most likely a number or a name of each example."""
FEW_NUMBERS = 20
"""Floats without fractions are classes where at most this many of them differ."""


@dataclass(frozen=True)
class Targets:
    """Targets of all examples.

    Args:
        values: (N,) int64 classes, or (N, values) float64.
        class_names: of classes; empty where there are none.
        said: what was guessed, for people; empty: nothing.
    """

    values: np.ndarray
    class_names: tuple[str, ...] = ()
    said: str = ""

    @property
    def output(self) -> Output:
        """What a network gives out."""
        return Classes(len(self.class_names)) if self.class_names else Values(self.values.shape[1])


def read_targets(given: np.ndarray, kind: TargetKind | None, where: str, names: Sequence[str] = ()) -> Targets:
    """Classes or values.

    Args:
        given: (N,), (N, 1), (N, values) numbers, or (N, classes) with a single 1 in each row; numbers or text.
        kind: what they are; None: text and whole numbers are classes, others are values.
        where: for messages.
        names: of classes, in the order of their numbers or of the alphabet; empty: as they are given.

    Raises:
        ValueError: some are missing, all are equal, there are too many classes, or they are something else.
    """
    targets = as_numbers(given)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim not in (1, 2) or not targets.size or targets.dtype.kind not in "biufU":
        raise ValueError(
            f"data: {where}: expected a number or a text for each example, got {targets.dtype} {targets.shape}"
        )
    _refuse_missing(targets, where)
    said = ""
    if targets.ndim == 2 and kind != "values" and targets.dtype.kind in "biuf" and _one_hot(targets):
        said = f"{where}: each row holds a single 1, so they are {targets.shape[1]} classes"
        targets, found = targets.argmax(1), "classes"
    else:
        found = kind or _guessed(targets)
        if kind is None and targets.dtype.kind == "f":
            said = f"{where}: numbers that are taken as {found}; target_kind says it otherwise"
    if found == "classes":
        return _classes(targets, where, names, said)
    if names:
        raise ValueError(f"data: {where}: expected no names of classes, as these are values, got {len(names)}")
    return _values(targets, where, said)


def as_numbers(given: np.ndarray) -> np.ndarray:
    """Text that is a number everywhere as numbers; bytes as text."""
    if given.dtype.kind == "S":
        given = np.char.decode(given, "utf-8", "replace")
    if given.dtype.kind not in "OU":
        return given
    text = given.astype(str)
    for number in (np.int64, np.float64):
        try:
            return text.astype(number)
        except (ValueError, OverflowError):
            continue
    return text


def _refuse_missing(targets: np.ndarray, where: str) -> None:
    bad: Any = np.char.strip(targets) == "" if targets.dtype.kind == "U" else ~np.isfinite(targets)
    rows = np.flatnonzero(bad.reshape(len(targets), -1).any(1))
    if len(rows):
        raise ValueError(
            f"data: {where}: expected a target for each example, and {len(rows)} of {len(targets)} are missing or not"
            f" finite (examples {', '.join(map(str, rows[:5]))}{', …' if len(rows) > 5 else ''}, counted from 0); leave"
            " these out"
        )


def _one_hot(targets: np.ndarray) -> bool:
    return bool(((targets == 0) | (targets == 1)).all() and (targets.sum(1) == 1).all())


def _guessed(targets: np.ndarray) -> TargetKind:
    if targets.dtype.kind in "biuU" and targets.ndim == 1:
        return "classes"
    whole = targets.ndim == 1 and targets.dtype.kind == "f" and bool((targets == np.round(targets)).all())
    return "classes" if whole and len(np.unique(targets)) <= FEW_NUMBERS else "values"


def _classes(targets: np.ndarray, where: str, names: Sequence[str], said: str) -> Targets:
    if targets.ndim != 1:
        raise ValueError(f"data: {where}: expected one class for each example, got an array {targets.shape}")
    if targets.dtype.kind == "f" and not (targets == np.round(targets)).all():
        raise ValueError(f"data: {where}: expected classes, got numbers with fractions; say target_kind: values")
    if targets.dtype.kind == "f":
        targets = targets.astype(np.int64)
    there, numbers = np.unique(targets, return_inverse=True)
    if len(there) < 2:
        raise ValueError(
            f"data: {where}: expected two classes at least, and all {len(targets)} examples are of {there[0]!s}"
        )
    if len(there) > MOST_CLASSES:
        remedy = "name another" if targets.dtype.kind == "U" else "say target_kind: values, or name another"
        raise ValueError(
            f"data: {where}: expected at most {MOST_CLASSES} classes, got {len(there):,} in {len(targets):,} examples;"
            f" is it a value, or the name of each example? Then {remedy}"
        )
    if names and len(names) != len(there):
        raise ValueError(
            f"data: {where}: expected names of {len(there)} classes ({', '.join(map(str, there[:5]))}"
            f"{', …' if len(there) > 5 else ''}), got {len(names)}"
        )
    return Targets(numbers.astype(np.int64).reshape(-1), tuple(names) or tuple(map(str, there.tolist())), said)


def _values(targets: np.ndarray, where: str, said: str) -> Targets:
    if targets.dtype.kind == "U":
        wrong = [one for one in targets.ravel().tolist() if not _is_number(one)]
        raise ValueError(
            f"data: {where}: expected numbers, as target_kind is values, and {len(wrong)} are none:"
            f" {', '.join(map(repr, wrong[:5]))}"
        )
    values = targets.reshape(len(targets), -1).astype(np.float64)
    constant = np.flatnonzero(values.std(0) == 0)
    if len(constant):
        column = f" column {constant[0]}" if values.shape[1] > 1 else ""
        raise ValueError(
            f"data: {where}{column}: expected values that differ, and all {len(values)} examples have"
            f" {values[0, constant[0]]:g}: there is nothing to learn"
        )
    return Targets(values, said=said)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
