"""qd evaluators."""

from __future__ import annotations

from evaluators import Evaluator

from ..plugins import built_in, list_names


def evaluators() -> None:
    """List the evaluators that a run file may name, with their metrics.

    Example: `qd evaluators`
    """
    for name in list_names("evaluators"):
        evaluator = built_in(name, "evaluators", Evaluator)
        if evaluator is not None:
            units = {metric: definition.unit for metric, definition in evaluator.metrics.items()}
            listed = ", ".join(f"{metric} ({unit})" if unit else metric for metric, unit in units.items())
            print(f"{name}: {listed}")
