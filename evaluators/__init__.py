"""Evaluators: they train and measure candidates. One file per task."""

from search_spaces import Metric

from .base import Evaluator, SingleEvaluator

__all__ = ["Evaluator", "Metric", "SingleEvaluator"]
