"""Conformance suites for people who write a space, an evaluator or an executor; they need pytest.

Subclass one in a test file of your own, give the fixtures that it asks for, and run pytest:

    from qd.testing import SpaceConformance

    class TestMySpace(SpaceConformance):
        @pytest.fixture
        def space(self):
            return MySpace()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .evaluators import EvaluatorConformance
    from .executors import ExecutorConformance
    from .spaces import SpaceConformance
    from .stacks import StackConformance

__all__ = ["EvaluatorConformance", "ExecutorConformance", "SpaceConformance", "StackConformance"]

_HOMES = {
    "EvaluatorConformance": "evaluators",
    "ExecutorConformance": "executors",
    "SpaceConformance": "spaces",
    "StackConformance": "stacks",
}

# Before they are imported: only then a failing assertion of a suite shows the values that it compared.
for suite in _HOMES.values():
    pytest.register_assert_rewrite(f"{__name__}.{suite}")


def __getattr__(name: str) -> Any:
    # Imported when asked for: an executor's suite needs no torch, and its workers start the sooner.
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
