"""Training examples that are changed at random each time they are seen, all networks of a batch seeing the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from search_spaces.task import Image, Input, Series

OF_IMAGES = ("crop", "flip", "noise")
OF_SERIES = ("jitter", "scale")


@dataclass(frozen=True)
class Augmentation:
    """What is done to the minibatches of training; in a run file the key `augmentation` of `training`.

    Images, (B, channels, height, width), are cropped, then flipped, then get noise; series, (B, steps, channels), are
    scaled, then get jitter. Every draw follows from the seed that orders the minibatches and from the step, so that it
    is the same for a network alone and for all of a stack, on every device, and after an interruption.

    Args:
        crop: of images: each is padded by this many pixels of 0 (after preprocessing) on all sides, and cropped to its
            size at random; at least 0, and less than its sides.
        flip: of images: each is mirrored, left to right, with a probability of one half.
        noise: of images: standard deviation of normal noise, in units of preprocessed pixels, at least 0.
        jitter: of series: standard deviation of normal noise, in units of preprocessed values, at least 0.
        scale: of series: each channel of each is multiplied by a normal number of mean 1 and this standard deviation,
            at least 0.
    """

    crop: int = 0
    flip: bool = False
    noise: float = 0.0
    jitter: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop", "noise", "jitter", "scale"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}: expected a number of at least 0, got {value}")

    def check_input(self, given: Input) -> None:
        """Refuse, at the door, what does not suit the inputs of a task.

        Raises:
            ValueError: names the key.
        """
        suitable = OF_IMAGES if isinstance(given, Image) else OF_SERIES if isinstance(given, Series) else ()
        for field in fields(self):
            if getattr(self, field.name) and field.name not in suitable:
                of = "images" if field.name in OF_IMAGES else "series"
                instead = f"this task takes {', '.join(suitable)}" if suitable else "none suits this task"
                raise ValueError(
                    f"training.augmentation.{field.name}: is for {of}, and the inputs of this task are {given};"
                    f" leave it out ({instead})"
                )
        if isinstance(given, Image) and self.crop >= min(given.height, given.width):
            raise ValueError(
                f"training.augmentation.crop: expected fewer pixels than an image's sides ({given.height} by"
                f" {given.width}), got {self.crop}"
            )

    def apply(self, x: Tensor, shared_seed: int, step: int) -> Tensor:
        """Return the minibatch as it is seen in a step; `x` is left as it is.

        Args:
            x: (B, *input_shape) floats.
            shared_seed: the seed that orders the minibatches, in [0, 2**53).
            step: from 0.
        """
        # hashed: torch's generator looks at 32 bits of a seed
        seed = int(np.random.SeedSequence([shared_seed, step]).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        if self.crop:
            x = _crop(x, self.crop, generator)
        if self.flip:
            flipped = torch.rand(len(x), generator=generator).to(x.device) < 0.5
            x = torch.where(flipped[:, None, None, None], x.flip(3), x)
        if self.scale:
            x = x * (1 + self.scale * _normal((len(x), 1, x.shape[2]), x, generator))
        for deviation in (self.noise, self.jitter):
            if deviation:
                x = x + deviation * _normal(x.shape, x, generator)
        return x


def _crop(x: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    examples, _, height, width = x.shape
    padded = torch.nn.functional.pad(x, (pixels,) * 4)
    top, left = torch.randint(2 * pixels + 1, (2, examples, 1), generator=generator).to(x.device)
    rows = top + torch.arange(height, device=x.device)
    columns = left + torch.arange(width, device=x.device)
    example = torch.arange(examples, device=x.device)[:, None, None]
    cropped_BHWC = padded.movedim(1, 3)[example, rows[:, :, None], columns[:, None, :]]
    return cropped_BHWC.movedim(3, 1).contiguous()


def _normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Drawn on the CPU, in single precision: the same numbers on every device and in every type."""
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(like)
