"""What a benchmark reports."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Figure:
    """A measured number: the median of several, with their spread.

    Args:
        name: what was measured.
        samples: one number at least.
        unit: of the samples.
        target: what was to be reached; None for figures that stand beside.
        better: whether a value reaches the target from above or from below.
    """

    name: str
    samples: Sequence[float]
    unit: str
    target: float | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def holds(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target

    def data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "spread": [min(self.samples), max(self.samples)],
            "samples": len(self.samples),
            "unit": self.unit,
            "target": self.target,
            "holds": self.holds,
        }

    def __str__(self) -> str:
        spread = f" ({min(self.samples):.4g} to {max(self.samples):.4g})" if len(self.samples) > 1 else ""
        verdict = ""
        if self.target is not None:
            sign = "≤" if self.better == "lower" else "≥"
            verdict = f"   target {sign} {self.target:g}: {'holds' if self.holds else 'MISSED'}"
        return f"{self.name}: {self.value:.4g} {self.unit}{spread}{verdict}"
