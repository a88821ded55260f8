"""The run file: strict models, YAML, dotted overrides. Everything is checked before anything is created."""

from .earlier import from_log
from .earlier_evaluators import moved
from .kinds import places_as_given
from .messages import dotted, explain
from .models import (
    LARGEST,
    SMALLEST,
    ArchiveConfig,
    AxisConfig,
    BudgetConfig,
    Component,
    EmitterConfig,
    ExecutorConfig,
    LogConfig,
    Model,
    ObjectiveConfig,
    RunFile,
    SearchConfig,
)
from .reading import check, load, override, parse

__all__ = [
    "LARGEST",
    "SMALLEST",
    "ArchiveConfig",
    "AxisConfig",
    "BudgetConfig",
    "Component",
    "EmitterConfig",
    "ExecutorConfig",
    "LogConfig",
    "Model",
    "ObjectiveConfig",
    "RunFile",
    "SearchConfig",
    "check",
    "dotted",
    "explain",
    "from_log",
    "load",
    "moved",
    "override",
    "parse",
    "places_as_given",
]
