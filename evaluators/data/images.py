"""Labelled images: what data sets of them have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from search_spaces import Task
from search_spaces.task import Classes, Image

from ..preprocessing import Preprocessing, Standardise
from .base import DataSet, Examples
from .rows import Inputs
from .split import FREE, Part

FITTED = 100_000
"""Images that the preprocessing is fitted to, at most; where there are more, every so-manieth."""


class LabelledImages(DataSet):
    """Images of one size, and their classes.

    Attributes, of the class or, where arguments decide, of the instance:
        image_shape: (channels, height, width).
        examples: how many images there are in all.
        published_test: how many of them, the last ones, are the published test split; 0 where none is published.
        brightest: the largest value that a pixel may have.
    """

    image_shape: tuple[int, int, int]
    examples: int
    published_test: int = 0
    brightest: ClassVar[int] = 255

    @property
    def task(self) -> Task:
        """Classification: images in, one score per class out."""
        return Task(Image(*self.image_shape), Classes(len(self.class_names)))

    @abstractmethod
    def load(self) -> tuple[Inputs, np.ndarray]:
        """Read all images (N, channels, height, width) uint8, and labels (N,) int64, in their published order."""

    def read(self) -> Examples:
        images, labels = self.load()
        parts = np.full(len(labels), FREE, np.int8)
        if self.published_test:
            parts[-self.published_test :] = Part.TEST
        return Examples(images, labels, parts)

    def fit(self, train: Examples) -> Preprocessing:
        return fit_images(train.inputs)

    def check(self) -> None:
        for name in ("image_shape", "examples"):
            if not hasattr(self, name):
                raise ValueError(f"data: {type(self).__name__} declares no `{name}`; see {LabelledImages.__module__}")
        super().check()


def fit_images(images: Inputs) -> Standardise:
    """The mean training image, and the standard deviation of all pixels around it."""
    chosen = images[:: max(1, len(images) // FITTED)].astype(np.float64)
    mean = chosen.mean(0)
    scale = float(np.sqrt(((chosen - mean) ** 2).mean())) or 1.0
    return Standardise(mean.astype(np.float32), np.array(scale))
