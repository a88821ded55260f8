"""How examples are split into those for training, for validation and for the test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from .rows import Inputs, StoredRows

SHARE = 0.2
"""For validation where nothing else is said, and for the test where none is given."""
Usual = Literal["random", "stratified", "group", "time"]
"""How a data set is split where nothing is said."""
FREE = -1
"""In `Examples.parts`: may be in any part."""
AT_ONCE = 4096
"""Rows that are compared at once."""


class Part(IntEnum):
    """Where an example belongs."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


PART_WORDS = {
    **dict.fromkeys(("train", "training"), Part.TRAIN),
    **dict.fromkeys(("validation", "val", "valid", "dev"), Part.VALIDATION),
    **dict.fromkeys(("test", "testing"), Part.TEST),
}
"""What people call the parts."""


@dataclass(frozen=True)
class Split:
    """How a data set is split.

    Examples with equal inputs stay together, so that none is learnt and asked; not so where most have an equal one, as
    in a table of a few categories, and not in a file that is larger than memory should be.

    Args:
        by: "random"; "stratified", each class by itself; "group", what has one value of `column` stays together;
            "time", the latest are for the test and those before them for validation; "column", which says the part of
            each example. None: as the data set has it, which is "stratified" for a person's own classes.
        column: that holds the group, the time or the part ("train", "validation" or "test"), where the source has
            columns.
        train: at most this many are used for training; None: all that are left.
        validation: how many, or a share below 1; None: a fifth of what is not for the test, or as it is given.
        test: how many, or a share below 1; None: as it is published or given, else a fifth.
        seed: of everything random, at least 0; one seed, one split.
    """

    by: Literal["random", "stratified", "group", "time", "column"] | None = None
    column: str | None = None
    train: int | None = None
    validation: int | float | None = None
    test: int | float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"split.seed: expected at least 0, got {self.seed}")
        if self.train is not None and self.train < 1:
            raise ValueError(f"split.train: expected at least 1, got {self.train}")
        for name in ("validation", "test"):
            value = getattr(self, name)
            if value is not None and not (0 < value < 1 or (value >= 1 and value == int(value))):
                raise ValueError(f"split.{name}: expected a number of examples, or a share in (0, 1), got {value}")
        if (self.by in ("group", "time", "column")) != (self.column is not None):
            raise ValueError(
                f"split.column: {'is needed' if self.column is None else 'is there'}, and split.by is"
                f" {self.by or 'not said'}; it goes with group, time or column"
            )

    def in_words(self, sizes: Sequence[int], given: bool, usual: Usual) -> str:
        """One sentence without a full stop.

        Args:
            sizes: of training, validation and test.
            given: whether the source says the part of some examples.
            usual: how, where this does not say.
        """
        by = self.by or usual
        how = WORDS[by].format(self.column or f"{by}s of the data set")
        if given and by != "column":
            how += " where the data set does not say"
        train, validation, test = sizes
        return f"{how}: {train:,} for training, {validation:,} for validation, {test:,} for the test; seed {self.seed}"


WORDS = {
    "random": "at random",
    "stratified": "at random, each class by itself",
    "group": "at random, what is equal in {} together",
    "time": "by {}, the latest for the test and those before them for validation",
    "column": "as {} says",
}


def split_rows(
    split: Split,
    inputs: Inputs,
    classes: np.ndarray | None,
    parts: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    class_names: Sequence[str] = (),
    usual: Usual = "random",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows for training, validation and the test, int64. A larger `train` keeps a smaller one's rows and adds to them.

    Args:
        split: how.
        inputs: (N, ...).
        classes: (N,) int64; None where there are none.
        parts: (N,), see `Examples`.
        groups: (N,), see `Examples`.
        times: (N,), see `Examples`.
        class_names: for messages.
        usual: how, where the split does not say; "stratified" is "random" where there are no classes.

    Raises:
        ValueError: there are not as many as asked for, or none of a class for training or validation.
    """
    given = np.full(len(inputs), FREE, np.int8) if parts is None else np.asarray(parts, np.int8)
    by = split.by or ("random" if usual == "stratified" and classes is None else usual)
    free = np.flatnonzero(given == FREE)
    published = [np.flatnonzero(given == part) for part in Part]
    rng = np.random.default_rng(split.seed)
    if by == "time":
        if times is None:
            raise ValueError("split.by: time needs a column of times, and this data set has none")
        units = [np.array([row]) for row in free[np.argsort(times[free], kind="stable")[::-1]]]
    else:
        if by == "group" and groups is None:
            raise ValueError("split.by: group needs a column of groups, and this data set has none")
        units = _units(inputs, free, groups if by == "group" else None)
        units = [units[index] for index in rng.permutation(len(units)).tolist()]
        if by == "stratified":
            if classes is None:
                raise ValueError("split.by: stratified needs classes, and this task has none")
            units = _spread(units, classes)
    test, units = _cut(split.test, units, published[Part.TEST], len(inputs), "test")
    others = len(inputs) - len(test)
    validation, units = _cut(split.validation, units, published[Part.VALIDATION], others, "validation")
    left = np.concatenate([*units, np.empty(0, np.int64)]).astype(np.int64)
    train = np.concatenate([rng.permutation(published[Part.TRAIN]), left[::-1] if by == "time" else left])
    if not len(train) or (split.train is not None and split.train > len(train)):
        raise ValueError(
            f"split.train: expected {split.train or 1} examples, and {len(train)} are left beside"
            f" {len(validation)} for validation and {len(test)} for the test"
        )
    if split.train is not None:
        train = train[-split.train :] if by == "time" else train[: split.train]
    rows = (train.astype(np.int64), validation.astype(np.int64), test.astype(np.int64))
    if classes is not None:
        _check_classes(rows, classes, class_names)
    return rows


def equal_rows(inputs: Inputs, rows: np.ndarray | None = None) -> np.ndarray:
    """A number for each row, the same for rows with equal inputs: (N,) int64, the first row that is equal to it."""
    chosen = np.arange(len(inputs)) if rows is None else rows
    first: dict[bytes, int] = {}
    found = np.empty(len(chosen), np.int64)
    for start in range(0, len(chosen), AT_ONCE):
        block = np.ascontiguousarray(inputs[chosen[start : start + AT_ONCE]])
        for index, row in enumerate(block, start):
            found[index] = first.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), index)
    return found


def _units(inputs: Inputs, rows: np.ndarray, groups: np.ndarray | None) -> list[np.ndarray]:
    """What must stay together: rows of one group, or with equal inputs as `Split` has it."""
    if groups is not None:
        keys = np.unique(groups[rows], return_inverse=True)[1]
    elif isinstance(inputs, StoredRows):
        keys = np.arange(len(rows))
    else:
        keys = equal_rows(inputs, rows)
        if 2 * len(np.unique(keys)) < len(rows):
            keys = np.arange(len(rows))
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    units = np.split(rows[order], starts[1:])
    return sorted(units, key=lambda unit: int(unit[0])) if len(rows) else []


def _spread(units: list[np.ndarray], classes: np.ndarray) -> list[np.ndarray]:
    """Units in an order in which every class is spread evenly; a unit counts as its first row's class."""
    labels = np.array([classes[unit[0]] for unit in units])
    place = np.empty(len(units))
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return [units[index] for index in np.argsort(place, kind="stable").tolist()]


def _cut(
    wanted: int | float | None, units: list[np.ndarray], given: np.ndarray, of: int, name: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The rows of a part, and the units that are left: those given, or as many as are wanted from the front."""
    if len(given):
        if wanted is not None:
            raise ValueError(f"split.{name}: the data set says itself which examples these are; leave this key out")
        return given, units
    number = int(of * SHARE) if wanted is None else int(of * wanted) if wanted < 1 else int(wanted)
    taken = 0
    for index, unit in enumerate(units):
        if taken >= number and taken:
            return np.concatenate(units[:index]), units[index:]
        taken += len(unit)
    left = sum(map(len, units))
    together = "" if len(units) == left else f" in {len(units)} groups that stay together, such as equal ones,"
    raise ValueError(
        f"split.{name}: expected fewer than the {left} examples that are there for it and for training,{together}"
        f" got {max(1, number)}"
    )


def _check_classes(rows: tuple[np.ndarray, ...], classes: np.ndarray, names: Sequence[str]) -> None:
    counts = np.stack([np.bincount(classes[part], minlength=int(classes.max()) + 1) for part in rows])
    there = counts.sum(0) > 0
    missing = [index for index in np.flatnonzero(there).tolist() if not counts[Part.TRAIN, index]]
    if missing:
        listed = "; ".join(
            f"{names[index] if index < len(names) else index}: {counts[0, index]} for training,"
            f" {counts[1, index]} for validation, {counts[2, index]} for the test"
            for index in missing[:5]
        )
        more = f", and {len(missing) - 5} classes more" if len(missing) > 5 else ""
        raise ValueError(
            f"split: no example of a class is left for training ({listed}{more}). Use split: {{by: stratified}}, more"
            " examples, or leave the class out"
        )
