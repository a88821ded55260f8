"""A data set that is computed: upright and lying stripes, more or less noisy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.data import LabelledImages, Split


@dataclass(frozen=True)
class Stripes(LabelledImages):
    """Upright and lying stripes of 6 x 6 pixels; the last fifty are the published test split.

    Args:
        noise: the largest change of a pixel, 0 to 100.
        seed: of the noise.
        split: how they are split.
    """

    name = "stripes"
    image_shape = (1, 6, 6)
    class_names = ("upright", "lying")
    examples = 250
    published_test = 50
    licence = "CC0 (nobody in particular)"

    noise: int = 20
    seed: int = 0
    split: Split = Split()

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 100:
            raise ValueError(f"noise: expected 0 to 100, got {self.noise}")

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(self.seed)
        labels = np.arange(self.examples) % len(self.class_names)
        upright = np.tile(np.array([0, 150], np.uint8), (6, 3))
        images = np.stack([upright.T if label else upright for label in labels.tolist()])
        noise = rng.integers(0, self.noise, images.shape, dtype=np.uint8, endpoint=True)
        return (images + noise)[:, None], labels
