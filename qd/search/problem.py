"""What a search works on: all parts of a run, bound to each other and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators import Evaluator
from search_spaces import Metric, SearchSpace

from ..archives import Archive
from ..config import RunFile
from ..emitters import Emitter
from ..registry import Registry
from .known import Known


@dataclass
class WeightedEmitter:
    """An emitter, its share of the proposals, and its own random stream."""

    name: str
    emitter: Emitter
    weight: float
    rng: np.random.Generator


@dataclass(frozen=True)
class Problem:
    """All parts of a run, bound and checked. `qd.runs.problem.prepare` makes it of a run file."""

    config: RunFile
    space: SearchSpace
    evaluator: Evaluator
    metrics: Mapping[str, tuple[Metric, str]]
    """{name: (definition, "evaluator" or "space")}"""
    archive: Archive
    """Empty, or folded from the log."""
    emitters: Sequence[WeightedEmitter]
    known: Known
    """What is known of candidates before they are evaluated."""
    registry: Registry
    """Knows which plug-ins are in it."""


def emitter_names(kinds: Sequence[str]) -> list[str]:
    """["random", "map_elites", "random"] → ["random", "map_elites", "random_2"]."""
    seen: Counter[str] = Counter()
    names = []
    for kind in kinds:
        seen[kind] += 1
        names.append(kind if seen[kind] == 1 else f"{kind}_{seen[kind]}")
    return names
