"""Emitters: who proposes candidates. One file each, named as in a run file; `baselines` are the controls."""

from .base import Emitter, Proposals, Told
from .map_elites import MapElites

__all__ = ["Emitter", "MapElites", "Proposals", "Told"]
