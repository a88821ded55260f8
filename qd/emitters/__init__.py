"""Emitters: who proposes candidates. One file each; `KINDS` is what a run file may name."""

from .base import Emitter, Proposals
from .map_elites import MapElites
from .random import Random

KINDS: dict[str, type[Emitter]] = {"map_elites": MapElites, "random": Random}

__all__ = ["KINDS", "Emitter", "MapElites", "Proposals", "Random"]
