"""Data sets with their fixed splits. One file per kind, whose name it is."""

from .base import DataSet, Examples, Splits
from .images import LabelledImages
from .rows import StoredRows
from .split import FREE, Part, Split

__all__ = ["FREE", "DataSet", "Examples", "LabelledImages", "Part", "Split", "Splits", "StoredRows"]
