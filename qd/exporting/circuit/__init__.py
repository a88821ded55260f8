"""Circuits: networks as plain data that a reader, or `rebuild`, can make them again from."""

from .data import circuit, to_text
from .rebuild import Rebuilt, rebuild

__all__ = ["Rebuilt", "circuit", "rebuild", "to_text"]
