"""What a run file may name: the spaces with their genes, the evaluators with their metrics."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators import Evaluator, Metric
from search_spaces import Gene, SearchSpace

from ..registry import built_in, construct, list_names


def spaces() -> dict[str, Gene]:
    """{name of a search space: its genes, as they are without arguments}."""
    found = {name: built_in(name, "search_spaces", SearchSpace) for name in list_names("search_spaces")}
    return {name: space().genes for name, space in found.items() if space is not None}


def evaluators() -> dict[str, dict[str, Metric]]:
    """{name of an evaluator: its metrics}; none of one whose metrics the run file declares."""
    found = {name: built_in(name, "evaluators", Evaluator) for name in list_names("evaluators")}
    # some declare metrics on the class, others in __init__, where options may add to them
    return {name: dict(_metrics(name, one)) for name, one in found.items() if one is not None}


def _metrics(name: str, evaluator: type[Evaluator]) -> Mapping[str, Metric]:
    if hasattr(evaluator, "metrics"):
        return evaluator.metrics
    return construct(evaluator, {}, name).metrics if evaluator.evaluates else {}
