"""Pictures in folders of their classes, or listed in a table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from qd.errors import suggest
from search_spaces import Task
from search_spaces.task import Classes, Image, Values

from .base import Examples
from .cache import state
from .own import Found, OwnData, parts_of
from .pictures import PROGRAMS, Wanted, read_pictures
from .split import PART_WORDS, Part, Split
from .table.reading import MISSING, read_columns
from .table.target import TargetKind, tell_groups, tell_parts, tell_target, tell_times

TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class ImageFolder(OwnData):
    """Pictures of any format that Pillow reads, decoded to 8 bits and one size.

    The folder has a sub-folder of each class; or sub-folders train, validation and test (or val, valid, dev) that have
    these. A table lists paths, relative to itself, and targets.

    Args:
        path: of the folder, or of a .csv, .tsv or .parquet table.
        size: of the images: one number, or [height, width]; None: the commonest size of the pictures.
        channels: 1 (greyscale) or 3 (RGB); None: 1 where all pictures are greyscale.
        picture: the table's column of paths; None: its first.
        target: the table's column that is told; None: the only other.
        target_kind: of a table; None: text and few whole numbers are classes.
        skip_damaged: whether pictures that cannot be read are left out, where they are at most a hundredth.
        split: how they are split; a `column` is of the table.
    """

    path: Path | str
    size: int | tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    picture: str | None = None
    target: str | None = None
    target_kind: TargetKind | None = None
    skip_damaged: bool = False
    split: Split = Split()

    def __post_init__(self) -> None:
        sizes = [self.size] if isinstance(self.size, int) else self.size or ()
        if any(side < 1 for side in sizes):
            raise ValueError(f"size: expected at least 1 pixel, got {self.size}")

    def open(self) -> Found:
        path = self.place()
        listed = self._of_folders(path) if path.is_dir() else self._of_table(path)
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        files = Files(listed.files, path if path.is_dir() else path.parent)
        wanted = Wanted(size, self.channels, self.skip_damaged)
        images, rows, lines = read_pictures(files, wanted, state(path, listed.files), str(path))
        picked = [None if one is None else one[rows] for one in listed.columns]
        examples = Examples(images, listed.targets[rows], *picked)
        output = Classes(len(listed.class_names)) if listed.class_names else Values(1)
        task = Task(Image(*images.shape[1:]), output)
        if lost := set(range(len(listed.class_names))) - set(examples.targets.ravel().tolist()):
            names = ", ".join(listed.class_names[index] for index in sorted(lost)[:5])
            raise ValueError(f"{path}: all pictures of a class are damaged: {names}")
        return Found(examples, task, listed.class_names, (*lines, *listed.lines))

    def _of_folders(self, path: Path) -> _Listed:
        for key in ("picture", "target", "target_kind"):
            if getattr(self, key) is not None:
                raise ValueError(
                    f"{key}: goes with a table of paths, and {path} is a folder, whose sub-folders are classes"
                )
        if self.split.column is not None:
            raise ValueError(f"split.column: goes with a table of paths, and {path} is a folder")
        return list_folders(path)

    def _of_table(self, path: Path) -> _Listed:
        if path.suffix.lower() not in TABLES:
            raise ValueError(f"{path}: expected a folder, or a table of paths that ends in {', '.join(TABLES)}")
        names, raw = read_columns(path, None, None, MISSING, ())
        asked = {"picture": self.picture or names[0], "target": self.target, "split.column": self.split.column}
        others = [name for name in names if name not in asked.values()]
        if self.target is None:
            if len(others) != 1:
                raise ValueError(
                    f"target: say which column of {path} it is: {', '.join(others) or 'there is no other'}"
                )
            asked["target"] = others[0]
        for key, name in asked.items():
            if name is not None and name not in raw:
                raise ValueError(f"{key}: {path} has no column {name!r}{suggest(name, names)}")
        if asked["target"] in (asked["picture"], asked["split.column"]):
            raise ValueError(f"target: {asked['target']} is the column of paths, or that of the split; name another")
        paths, target = raw[asked["picture"] or ""], tell_target(path, raw[asked["target"] or ""], self.target_kind)
        by, split = raw.get(self.split.column or ""), self.split.by
        _check_paths(path, paths.name, paths.texts, paths.counts(), paths.missing)
        files = [path.parent / text for text in paths.texts]
        return _Listed(
            [files[code] for code in paths.codes],
            target.targets,
            target.class_names,
            (
                tell_parts(path, by) if by and split == "column" else None,
                tell_groups(path, by) if by and split == "group" else None,
                tell_times(path, by) if by and split == "time" else None,
            ),
            (),
        )


class _Listed(NamedTuple):
    """Where the pictures are; columns are parts, groups and times as `Examples` has them."""

    files: list[Path]
    targets: np.ndarray
    class_names: tuple[str, ...]
    columns: tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]
    lines: tuple[str, ...]


class Files:
    """Pictures in files; their names are relative to a folder."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._files, self._folder = files, folder

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        return ((os.path.relpath(file, self._folder), file) for file in self._files)


def list_folders(path: Path) -> _Listed:
    """Pictures in sub-folders of classes, or in these of parts.

    Raises:
        ValueError: there are none, or one class alone, or a class without a picture.
    """
    inside = _folders(path)
    words = {one.name: PART_WORDS.get(one.name.lower()) for one in inside}
    if Part.TRAIN in words.values() and None in words.values():
        odd = ", ".join(name for name, part in words.items() if part is None)
        raise ValueError(
            f"{path}: expected train, validation and test alone, or a folder for each class, got also {odd}"
        )
    in_parts = Part.TRAIN in words.values()
    classes = [(one, words[folder.name]) for folder in inside for one in _folders(folder)] if in_parts else []
    classes = classes or [(folder, None) for folder in inside]
    other: Counter[str] = Counter()
    found = [(folder, part, _pictures_in(folder, other)) for folder, part in classes]
    if not any(files for *_, files in found):
        loose = len(_pictures_in(path, Counter()))
        got = f"{loose:,} pictures in no sub-folder" if loose else "no picture"
        raise ValueError(
            f"{path}: expected a sub-folder of pictures for each class, got {got}. Move them into one for each"
            " class, or name a table of paths and targets"
        )
    empty = [os.path.relpath(folder, path) for folder, _, files in found if not files]
    if empty:
        raise ValueError(
            f"{path}: {len(empty)} classes have no picture ({', '.join(empty[:5])}{', …' if len(empty) > 5 else ''});"
            " delete these folders, or fill them"
        )
    names = sorted({folder.name for folder, *_ in found}, key=lambda name: (int(name) if name.isdecimal() else 0, name))
    if len(names) < 2:
        raise ValueError(f"{path}: expected two classes at least, got {names[0]} alone")
    number = {name: index for index, name in enumerate(names)}
    files = [file for *_, some in found for file in some]
    targets = np.array([number[folder.name] for folder, _, some in found for _ in some], np.int64)
    parts = parts_of([part for _, part, some in found for _ in some if part is not None]) if in_parts else None
    listed = ", ".join(f"{count:,} {suffix or 'without an ending'}" for suffix, count in other.most_common(5))
    lines = (f"files that are no pictures are left out: {listed}",) if other else ()
    return _Listed(files, targets, tuple(names), (parts, None, None), lines)


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith((".", "__")))


def _pictures_in(folder: Path, other: Counter[str]) -> list[Path]:
    """Sorted; what else is there is counted by its ending."""
    found = []
    for one in sorted(folder.rglob("*")):
        if one.name.startswith(".") or not one.is_file():
            continue
        if one.suffix.lower() in _suffixes():
            found.append(one)
        else:
            other[one.suffix.lower()] += 1
    return found


@cache
def _suffixes() -> frozenset[str]:
    """Endings of files that Pillow decodes by itself."""
    from PIL import Image

    return frozenset(
        ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN and name not in PROGRAMS
    )


def _check_paths(path: Path, column: str, texts: Sequence[str], counts: np.ndarray, missing: int) -> None:
    """Refuse paths that are missing, stand there twice, or lead nowhere."""
    twice = [text for text, count in zip(texts, counts, strict=True) if count > 1]
    nowhere = [text for text in texts if not (path.parent / text).is_file()]
    for odd, what in ((twice, "stand there more than once"), (nowhere, f"are no files below {path.parent}")):
        if odd:
            listed = f"{', '.join(odd[:5])}{', …' if len(odd) > 5 else ''}"
            raise ValueError(f"{path}: {len(odd):,} of {len(texts):,} paths in {column} {what}: {listed}")
    if missing:
        raise ValueError(f"{path}: {missing:,} paths in {column} are missing; take these rows out")
