"""Labelled images and their fixed splits. One file per data set: `digits`, `fashion_mnist`."""

from .images import ImageData, Part, Splits, split, split_sizes

__all__ = ["ImageData", "Part", "Splits", "split", "split_sizes"]
