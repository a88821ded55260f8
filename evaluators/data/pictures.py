"""Pictures of any size and format, decoded into images of one size."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from .cache import kept
from .rows import IN_MEMORY, Inputs, StoredRows

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)

LARGEST = 128 * 128
"""Pixels of an image where nobody says a size."""
MANY = 2000
"""Pictures whose images are kept, as they take a while to decode."""
MOST_DAMAGED = 0.01
"""Share of the pictures that may be left out."""
PROGRAMS = ("EPS",)
"""Formats that Pillow decodes by running another program: never opened."""
GREY = ("1", "L", "LA", "La", "I")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
SIDEWAYS = (5, 6, 7, 8)
"""Values of EXIF's orientation that swap width and height."""


class Source(Protocol):
    """Pictures, which can be gone through any number of times."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[str, Path | IO[bytes]]]:
        """(name, file) of each."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What images are made of the pictures.

    Args:
        size: (height, width); None: the commonest.
        channels: 1, 3, or None: 1 where all are greyscale.
        skip_damaged: whether up to a hundredth may be left out.
    """

    size: tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    skip_damaged: bool = False


class Pictures(NamedTuple):
    """Images.

    Args:
        images: (n, channels, height, width) uint8.
        rows: (n,) int64, which of the pictures they are.
        lines: what was done to them, for people.
    """

    images: Inputs
    rows: np.ndarray
    lines: tuple[str, ...]


class _Looked(NamedTuple):
    """What the headers say: damaged is {picture: (name, reason)}."""

    sizes: Counter[tuple[int, int]]
    modes: Counter[str]
    damaged: dict[int, tuple[str, str]]
    transparent: int


def read_pictures(source: Source, wanted: Wanted, key: Any, where: str) -> Pictures:
    """Decode all; many, or large ones, once into the cache.

    Args:
        source: of them.
        wanted: images.
        key: plain data from which their content follows.
        where: for messages.

    Raises:
        ValueError: some are damaged, or too large to be searched on as they are.
    """
    if len(source) < MANY:
        looked = _look(source, where)
        height, width = _size(looked, wanted, where)
        if len(source) * _channels(looked, wanted) * height * width <= IN_MEMORY:
            buffer = BytesIO()
            found = _decode(source, wanted, looked, buffer.write, where)
            return _pictures(np.frombuffer(buffer.getbuffer(), np.uint8).reshape(found["shape"]), found, len(source))

    def write(folder: Path) -> None:
        logger.info(f"{where}: {len(source):,} pictures are decoded, once")
        with (folder / "rows").open("wb") as file:
            found = _decode(source, wanted, _look(source, where), file.write, where)
        (folder / "found.json").write_text(json.dumps(found))

    folder = kept("images", [key, wanted.size, wanted.channels, wanted.skip_damaged], write)
    found = json.loads((folder / "found.json").read_text())
    rows = StoredRows(folder / "rows", 0, np.dtype(np.uint8), tuple(found["shape"]))
    return _pictures(rows if rows.nbytes > IN_MEMORY else rows[:], found, len(source))


def _pictures(images: Inputs, found: dict[str, Any], count: int) -> Pictures:
    rows = np.delete(np.arange(count), np.array(found["left_out"], np.int64))
    return Pictures(images, rows, tuple(found["lines"]))


def _look(source: Source, where: str) -> _Looked:
    looked = _Looked(Counter(), Counter(), {}, 0)
    transparent = 0
    for index, (name, file) in enumerate(source):
        try:
            with _open(file) as picture:
                width, height = picture.size
                sideways = picture.getexif().get(0x0112) in SIDEWAYS
                looked.sizes[(width, height) if sideways else (height, width)] += 1
                looked.modes[picture.mode] += 1
                transparent += _is_transparent(picture)
        except Exception as error:  # Pillow raises anything, SyntaxError of a broken PNG included
            looked.damaged[index] = (name, str(error) or type(error).__name__)
    if not looked.sizes:
        _refuse_damaged(looked.damaged, len(source), False, where)
    return looked._replace(transparent=transparent)


def _decode(
    source: Source, wanted: Wanted, looked: _Looked, write: Callable[[bytes], Any], where: str
) -> dict[str, Any]:
    """Write images one after the other; plain data of what was found."""
    size, channels, damaged = _size(looked, wanted, where), _channels(looked, wanted), dict(looked.damaged)
    for index, (name, file) in enumerate(source):
        if index in damaged:
            continue
        try:
            with _open(file) as picture:
                content = _image(picture, size, channels).tobytes()
        except Exception as error:
            damaged[index] = (name, str(error) or type(error).__name__)
            continue
        write(content)
    _refuse_damaged(damaged, len(source), wanted.skip_damaged, where)
    shape = (len(source) - len(damaged), channels, *size)
    return {"shape": shape, "left_out": sorted(damaged), "lines": _lines(looked, size, channels, damaged, where)}


def _open(file: Path | IO[bytes]) -> Image:
    from PIL import Image

    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(file, formats=[name for name in Image.ID if name not in PROGRAMS])


def _is_transparent(picture: Image) -> bool:
    return picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info


def _image(picture: Image, size: tuple[int, int], channels: int) -> np.ndarray:
    """(channels, height, width) uint8, upright."""
    from PIL import Image, ImageOps

    picture.load()
    if picture.mode == "F":
        raise ValueError("its pixels are floats; use kind: arrays")
    if picture.mode in DEEP:
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("its pixels have more than 16 bits; use kind: arrays")
        picture = Image.fromarray(np.round(values / 257).astype(np.uint8))
    picture = ImageOps.exif_transpose(picture)
    if _is_transparent(picture):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("L" if channels == 1 else "RGB")
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _size(looked: _Looked, wanted: Wanted, where: str) -> tuple[int, int]:
    if wanted.size is not None:
        return wanted.size
    height, width = min(looked.sizes, key=lambda size: (-looked.sizes[size], size))
    if height * width > LARGEST:
        raise ValueError(
            f"{where}: most pictures have {height} x {width} pixels, which is large for a search; say size: 64, or"
            " [height, width]"
        )
    return height, width


def _channels(looked: _Looked, wanted: Wanted) -> int:
    return wanted.channels or (1 if all(mode in (*GREY, *DEEP) for mode in looked.modes) else 3)


def _refuse_damaged(damaged: dict[int, tuple[str, str]], count: int, skip: bool, where: str) -> None:
    if not damaged or (skip and len(damaged) <= MOST_DAMAGED * count):
        return
    named = "; ".join(f"{name}: {reason}" for name, reason in list(damaged.values())[:5])
    remedy = (
        f"skip_damaged leaves out at most {MOST_DAMAGED:.0%}"
        if skip
        else "mend or delete them, or say skip_damaged: true"
    )
    raise ValueError(
        f"{where}: {len(damaged):,} of {count:,} pictures cannot be read ({named}{'; …' if len(damaged) > 5 else ''});"
        f" {remedy}"
    )


def _lines(
    looked: _Looked, size: tuple[int, int], channels: int, damaged: dict[int, tuple[str, str]], where: str
) -> Sequence[str]:
    count = looked.sizes.total()
    lines = [f"{where}: {count:,} pictures, {channels} channels of {size[0]} x {size[1]} pixels"]
    odd = count - looked.sizes[size]
    if odd:
        others = ", ".join(f"{h} x {w}" for (h, w), _ in looked.sizes.most_common(6) if (h, w) != size)
        bent = sum(
            number for (h, w), number in looked.sizes.items() if abs(math.log(h * size[1] / (w * size[0]))) > 0.05
        )
        lines.append(f"{odd:,} pictures are resized (of {others}, …), {bent:,} of them to another ratio of their sides")
    grey = sum(number for mode, number in looked.modes.items() if mode in (*GREY, *DEEP))
    if channels == 1 and count > grey:
        lines.append(f"{count - grey:,} pictures in colour are read as greyscale")
    if channels == 3 and grey:
        lines.append(f"{grey:,} greyscale pictures are read as RGB")
    if deep := sum(number for mode, number in looked.modes.items() if mode in DEEP):
        lines.append(f"{deep:,} pictures of 16 bits are read as 8 bits; kind: arrays keeps them")
    if looked.transparent:
        lines.append(f"{looked.transparent:,} pictures with transparency are laid on white")
    if damaged:
        named = ", ".join(name for name, _ in list(damaged.values())[:5])
        lines.append(f"{len(damaged):,} damaged pictures are left out: {named}{', …' if len(damaged) > 5 else ''}")
    return lines
