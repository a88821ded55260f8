"""The measures of a map, and their ranges, from random networks that are built and not trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from search_spaces.task import Classes

from ..errors import UsageError
from ..inspecting.epoch import networks
from ..inspecting.opening import Opened
from ..metrics.active_parameters import ActiveParameters
from ..metrics.joined import JoinedMetrics
from ..metrics.latency import Latency
from ..metrics.macs import MACs
from ..metrics.parameters import Parameters
from ..metrics.subject import Subject
from ..training import build_seeded
from ..training.device import pin_threads

Goal = Literal["size", "speed", "specialisation"]
GOALS: tuple[str, ...] = get_args(Goal)
DRAWN = 24
"""Random networks."""
EXAMPLES = 64
"""Validation examples that each of them is shown."""
BEYOND = 1.5
"""How far beyond the smallest and the largest of them a range goes, as a factor; a search goes further than chance."""


@dataclass(frozen=True)
class Measure:
    """An axis of the map.

    Args:
        metric: that is measured.
        low: of the range.
        high: of the range.
        scale: "linear" or "log".
        why: what it tells, for people.
    """

    metric: str
    low: float
    high: float
    scale: Literal["linear", "log"]
    why: str


WHY = {
    "parameters": "how large it is",
    "active_parameters": "how much of it takes part in an example",
    "macs": "multiply-accumulates for an example",
    "latency": "milliseconds for an example, on this machine",
}
METRICS = {
    "size": ("parameters", "active_parameters"),
    "speed": ("macs", "latency"),
    "specialisation": ("active_parameters",),
}
"""{goal: metrics whose ranges random networks tell}."""


def check_goal(goal: str, opened: Opened) -> None:
    """Raise `UsageError` where the goal is none, or does not go with the data."""
    if goal not in GOALS:
        raise UsageError(f"`goal`: expected {', '.join(GOALS)}, got {goal!r}")
    if goal == "specialisation" and not isinstance(opened.task.output, Classes):
        raise UsageError("`goal`: experts specialise in classes, and these targets are none; write size or speed")


def measures(goal: str, opened: Opened) -> list[Measure]:
    """The axes for a goal; one that says nothing beside the first is left out.

    Args:
        goal: one of `GOALS`.
        opened: the data and the space.

    Raises:
        UsageError: the space builds no network for the task.
    """
    wanted = METRICS[goal]
    columns = _measured(opened, wanted)
    found = []
    for name in wanted:
        values = np.array([row[name] for row in columns])
        if not found or not np.allclose(values, [row[wanted[0]] for row in columns]):
            wide = BEYOND * BEYOND if name == "latency" else BEYOND  # machines are busy and idle
            low, high = _round(float(values.min()) / wide, down=True), _round(float(values.max()) * wide, down=False)
            found.append(Measure(name, low, high, "log", WHY[name]))
    if goal == "specialisation":
        found.append(Measure("specialisation", 0, 1, "linear", "how much the choice of an expert says about the class"))
    return found


def _measured(opened: Opened, wanted: Sequence[str]) -> list[dict[str, float]]:
    """Metrics of random networks."""
    pin_threads()
    kinds = {"parameters": Parameters, "active_parameters": ActiveParameters, "macs": MACs, "latency": Latency}
    metrics = JoinedMetrics([kinds[name]() for name in wanted])
    metrics.bind(opened.space, opened.task)
    part = opened.data.splits().validation
    examples = torch.from_numpy(np.ascontiguousarray(opened.data.preprocessing().apply(part.inputs[:EXAMPLES])))
    targets = torch.from_numpy(opened.data.targets(part.take(np.arange(len(examples)))))
    rows = []
    for genotype, _ in networks(opened.space, opened.evaluator, DRAWN):
        network = build_seeded(lambda genotype=genotype: opened.space.build(genotype, opened.task), 0)
        subject = Subject(
            genotype, opened.space, opened.task, lambda network=network: network, lambda: (examples, targets)
        )
        rows.append(metrics.measure(subject))
    if not rows:
        raise UsageError(f"`space`: {type(opened.space).__name__} builds no network for {opened.task}")
    return rows


def _round(value: float, down: bool) -> float:
    """To two digits, away from the values within."""
    size = 10.0 ** (math.floor(math.log10(value)) - 1)
    rounded = (math.floor(value / size) if down else math.ceil(value / size)) * size
    return float(f"{rounded:.2g}")
