"""Evaluations that happen elsewhere: in a program of one's own, in any language, by a measuring device or a person."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from qd.candidates import Candidates, Results
from search_spaces import Metric

from .base import Evaluator


class OutsideMetric(BaseModel):
    """What is reported from outside; the keys are those of `Metric`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    direction: Literal["maximise", "minimise"] = "maximise"
    time: bool = False


class Outside(Evaluator):
    """Declares metrics and evaluates nothing itself: results are told through `qd.open_search` or `qd ask-tell`.

    Args:
        metrics: {name: {low, high, direction, unit, time}}, each with defaults; an objective needs `low` and `high`.
    """

    evaluates = False
    has_fidelity = True

    def __init__(self, metrics: dict[str, OutsideMetric]) -> None:
        self.metrics = {name: Metric(**dict(metric)) for name, metric in metrics.items()}

    def evaluate(self, candidates: Candidates) -> Results:
        raise NotImplementedError("results are told from outside: see qd.open_search and qd ask-tell")
