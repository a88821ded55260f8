"""Labelled images and their fixed splits. One file per data set, whose name is its kind."""

from .images import ImageData, Part, Splits, split, split_sizes

__all__ = ["ImageData", "Part", "Splits", "split", "split_sizes"]
