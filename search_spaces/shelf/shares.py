"""Metrics that several modules report, under one name and with one meaning; each is a mean over a network's layers."""

from __future__ import annotations

from ..base import Metric

SHARE = Metric("", 0, 1)

ATTENTION = {"attention_share": SHARE}
"""Share of steps that attend to others, of all steps of all layers; elsewhere 0."""
ACTIVE = {"active_share": SHARE}
"""Share of a layer's parts that a step runs; elsewhere 1."""
ACTIVE_ELSEWHERE = {"active_share": 1.0}
SPLINE = {"spline_share": SHARE}
"""Share of a layer's nodes whose functions are splines; elsewhere 0."""
DENSITY = {"density": SHARE}
"""Share of a layer's weights that are present; elsewhere 1."""
DENSITY_ELSEWHERE = {"density": 1.0}
