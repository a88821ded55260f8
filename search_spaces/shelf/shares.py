"""Metrics that several modules report, under one name and with one meaning; each is a mean over a network's layers."""

from __future__ import annotations

from ..base import Metric

SHARE = Metric("", 0, 1)

ATTENTION = {"attention_share": SHARE}
"""Share of steps that attend to others, of all steps of all layers; elsewhere 0."""
ACTIVE = {"active_share": SHARE}
"""Share of a layer's parts that a step runs; elsewhere 1."""
ACTIVE_ELSEWHERE = {"active_share": 1.0}
