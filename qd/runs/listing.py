"""What a run file may name: the spaces with their genes, the evaluators with their metrics."""

from __future__ import annotations

from evaluators import Metric
from search_spaces import Gene

from ..registry import Registry, names


def spaces() -> dict[str, Gene]:
    """{name of a search space: its genes, as they are without arguments}."""
    return {name: Registry().build("spaces", name, {}, name).genes for name in names("spaces")}


def evaluators() -> dict[str, dict[str, Metric]]:
    """{name of an evaluator: its metrics}; none of one whose metrics the run file declares."""
    registry, found = Registry(), {}
    for name in names("evaluators"):
        one = registry.find("evaluators", name, name)
        # some declare metrics on the class, others in __init__, where options may add to them
        if not hasattr(one, "metrics"):
            one = registry.construct(one, {}, name) if one.evaluates else None
        found[name] = dict(one.metrics) if one is not None else {}
    return found
