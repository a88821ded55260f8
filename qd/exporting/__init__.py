"""Take architectures home: folders that hold one each, and the way back to a network."""

from .elites import export
from .load import load

__all__ = ["export", "load"]
