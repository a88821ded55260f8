"""What models expected of proposals, on its way into the log."""

from __future__ import annotations

import json
from typing import TypedDict

import numpy as np

from ..archives import Objective
from ..emitters.base import Forecast
from ..store.log import ModelRow, PredictionRow


class Rows(TypedDict):
    """Columns of a transaction."""

    predictions: list[PredictionRow]
    models: list[ModelRow]


class Forecasts:
    """Rows that the next transaction will hold."""

    def __init__(self) -> None:
        self._rows = Rows(predictions=[], models=[])

    def note(self, emitter: str, first: int, forecast: Forecast | None, objective: Objective) -> None:
        """Take what an emitter expects of the candidates from `first` on; the objective goes back to its own unit."""
        if forecast is None:
            return
        self._rows["models"].append(ModelRow(emitter, forecast.answers, first, json.dumps(forecast.model)))
        for metric, (mean, deviation) in forecast.metrics.items():
            sign = objective.sign if metric == objective.metric else 1.0
            rows = np.flatnonzero(np.isfinite(mean))
            columns = (rows + first).tolist(), (sign * mean[rows]).tolist(), deviation[rows].tolist()
            self._rows["predictions"] += [PredictionRow(id, metric, *pair) for id, *pair in zip(*columns, strict=True)]

    def take(self) -> Rows:
        """What was noted since the last call."""
        taken, self._rows = self._rows, Rows(predictions=[], models=[])
        return taken
