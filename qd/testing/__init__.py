"""Conformance suites for people who write a part of a search; they need pytest, and nothing else of this room does.

Subclass one in a test file of your own, give the fixtures that it asks for, and run pytest:

    from qd.testing import SpaceConformance

    class TestMySpace(SpaceConformance):
        @pytest.fixture
        def space(self):
            return MySpace()

Beside them: `qd.testing.toys`, small plug-ins to test with, and `qd.testing.pictures`, which compares pictures.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .archives import ArchiveConformance
    from .data import DataConformance
    from .emitters import EmitterConformance
    from .evaluators import EvaluatorConformance
    from .executors import ExecutorConformance
    from .metrics import MetricConformance
    from .modules import ModuleConformance
    from .plots import PlotConformance
    from .spaces import SpaceConformance
    from .stacks import StackConformance

__all__ = [
    "ArchiveConformance",
    "DataConformance",
    "EmitterConformance",
    "EvaluatorConformance",
    "ExecutorConformance",
    "MetricConformance",
    "ModuleConformance",
    "PlotConformance",
    "SpaceConformance",
    "StackConformance",
]

_HOMES = {
    "ArchiveConformance": "archives",
    "DataConformance": "data",
    "EmitterConformance": "emitters",
    "EvaluatorConformance": "evaluators",
    "ExecutorConformance": "executors",
    "MetricConformance": "metrics",
    "ModuleConformance": "modules",
    "PlotConformance": "plots",
    "SpaceConformance": "spaces",
    "StackConformance": "stacks",
}

if "pytest" in sys.modules:
    # Before a suite is imported, by whomever: only then a failing assertion of it shows the values that it compared.
    sys.modules["pytest"].register_assert_rewrite(*(f"{__name__}.{home}" for home in _HOMES.values()))


def __getattr__(name: str) -> Any:
    # Imported when asked for: an executor's suite needs no torch, and its workers start the sooner.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
