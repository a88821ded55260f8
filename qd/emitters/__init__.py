"""Emitters: who proposes candidates. One file each; `kinds.KINDS` is what a run file may name."""

from .base import Emitter, Proposals, Told
from .map_elites import MapElites

__all__ = ["Emitter", "MapElites", "Proposals", "Told"]
