"""Executors: where candidates are evaluated. `inline` is the reference."""

from .base import Executor, Work, evaluate
from .inline import InlineExecutor

__all__ = ["Executor", "InlineExecutor", "Work", "evaluate"]
