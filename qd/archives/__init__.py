"""Archives: the best networks by what they are like. A fold over results, never stored.

Adding the same rows in the same order gives the same archive, however they were cut into calls.
"""

from .axes import Axis, Objective, widened
from .base import Archive, CellArchive
from .categorical import CategoricalArchive
from .cvt import CVTArchive
from .elites import Elite, Elites, Insertion
from .grid import GridArchive, Refinement
from .make import make_archive, make_axis, make_objective
from .recorded import RecordedArchive
from .unstructured import UnstructuredArchive

__all__ = [
    "Archive",
    "Axis",
    "CVTArchive",
    "CategoricalArchive",
    "CellArchive",
    "Elite",
    "Elites",
    "GridArchive",
    "Insertion",
    "Objective",
    "RecordedArchive",
    "Refinement",
    "UnstructuredArchive",
    "make_archive",
    "make_axis",
    "make_objective",
    "widened",
]
