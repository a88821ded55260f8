"""A library of trained modules: a folder with a JSON record and a safetensors file for each.

Nothing in it is unpickled or executed: an architecture is plain data (`layers`), or a genotype of one of our spaces.
"""

from .architecture import build_architecture
from .folder import Library
from .record import LEVELS, Interface, Kind, ModuleRecord
from .writing import TrainedModule

__all__ = ["LEVELS", "Interface", "Kind", "Library", "ModuleRecord", "TrainedModule", "build_architecture"]
