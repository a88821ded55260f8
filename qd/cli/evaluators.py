"""qd evaluators."""

from __future__ import annotations

from evaluators import Evaluator

from ..registry import built_in, construct, list_names


def evaluators() -> None:
    """List the evaluators that a run file may name, with their metrics.

    Example: `qd evaluators`
    """
    for name in list_names("evaluators"):
        evaluator = built_in(name, "evaluators", Evaluator)
        if evaluator is not None:
            # some declare metrics on the class, others in __init__, where options may add to them
            metrics = evaluator.metrics if hasattr(evaluator, "metrics") else construct(evaluator, {}, name).metrics
            units = {metric: definition.unit for metric, definition in metrics.items()}
            listed = ", ".join(f"{metric} ({unit})" if unit else metric for metric, unit in units.items())
            print(f"{name}: {listed}")
