"""Search spaces: what a genotype may be, and the network that it stands for. One file per space."""

from .base import Costs, Metric, SearchSpace
from .genes import Choice, Gene, Genotype, Genotypes, Integer, Invalid, Real, Repeat, Struct, Variant, Vector
from .task import Task

__all__ = [
    "Choice",
    "Costs",
    "Gene",
    "Genotype",
    "Genotypes",
    "Integer",
    "Invalid",
    "Metric",
    "Real",
    "Repeat",
    "SearchSpace",
    "Struct",
    "Task",
    "Variant",
    "Vector",
]
