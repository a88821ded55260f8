"""qd evaluators."""

from __future__ import annotations

from .output import write


def evaluators() -> None:
    """List the evaluators that a run file may name, with their metrics.

    Example: `qd evaluators`
    """
    from ..runs.listing import evaluators as find

    for name, metrics in find().items():
        listed = ", ".join(f"{metric} ({one.unit})" if one.unit else metric for metric, one in metrics.items())
        write(f"{name}: {listed or 'what the run file declares'}")
