"""Take architectures home: a folder that holds one, and the way back to a network."""

from .folder import export_elite
from .load import load

__all__ = ["export_elite", "load"]
