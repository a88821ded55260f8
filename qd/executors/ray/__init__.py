"""Evaluation on a Ray cluster that may break."""

from .executor import RayExecutor

__all__ = ["RayExecutor"]
