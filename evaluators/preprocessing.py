"""What is done to raw inputs before a network sees them, and to values before it learns them.

Fitted to training examples alone, it is plain data: it travels with an export, and is applied there without `qd`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Scaling:
    """Values as networks learn them: (value - mean) / scale.

    Args:
        mean: (values,).
        scale: (values,), above 0.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Scaling:
        """Fitted to values (N, values)."""
        scale = values.std(0)
        return cls(values.mean(0), np.where(scale > 0, scale, 1.0))

    def back(self, outputs: np.ndarray) -> np.ndarray:
        """What a network gave, (N, values), in the units of the data."""
        return outputs * self.scale + self.mean


@dataclass(frozen=True)
class Preprocessing(ABC):
    """From inputs as they were read to inputs of a network.

    Args:
        outputs: of values; None where the task has none.
    """

    kind: ClassVar[str]
    """In `plain`; `qd/exporting/standalone.py` knows each of them."""
    outputs: Scaling | None = field(default=None, kw_only=True)

    @abstractmethod
    def apply(self, raw: np.ndarray) -> np.ndarray:
        """(N, ...) as they were read → (N, *task.input_shape) float32, or int64 of tokens."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Plain data from which `apply` follows."""

    def named(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """Raw inputs (N, ...) as people have them: an array of N for each column of a table, else "input" alone."""
        return {"input": raw}

    def plain(self) -> dict[str, Any]:
        """All of it as plain data."""
        scaling = self.outputs
        outputs = None if scaling is None else {"mean": scaling.mean.tolist(), "scale": scaling.scale.tolist()}
        return {"kind": self.kind, **self.parameters(), "outputs": outputs}

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Values (N, values) as networks learn them, float32."""
        if self.outputs is None:
            return values.astype(np.float32)
        return ((values - self.outputs.mean) / self.outputs.scale).astype(np.float32)


@dataclass(frozen=True)
class Standardise(Preprocessing):
    """(raw - mean) / scale; where raw is no number, 0.

    Args:
        mean: one number, or an array that goes with one input, such as the mean training image.
        scale: above 0; one number, or an array that goes with one input.
    """

    kind = "standardise"
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def per_feature(cls, raw: np.ndarray, outputs: Scaling | None = None) -> Standardise:
        """Fitted to each number of the last axis by itself; what never changes is left as it is, at 0."""
        flat = raw.reshape(-1, raw.shape[-1]).astype(np.float64)
        mean, scale = np.nanmean(flat, 0), np.nanstd(flat, 0)
        scale = np.where(scale > 0, scale, 1.0)
        return cls(mean.astype(np.float32), scale.astype(np.float32), outputs=outputs)

    def apply(self, raw: np.ndarray) -> np.ndarray:
        found = ((raw - self.mean) / np.float32(self.scale)).astype(np.float32, copy=False)
        return np.nan_to_num(found, copy=False, posinf=np.inf, neginf=-np.inf) if raw.dtype.kind == "f" else found

    def parameters(self) -> dict[str, Any]:
        return {"mean": np.asarray(self.mean).tolist(), "scale": np.asarray(self.scale).tolist()}


@dataclass(frozen=True)
class AsItIs(Preprocessing):
    """Nothing is done, but for the type."""

    kind = "as_it_is"

    def apply(self, raw: np.ndarray) -> np.ndarray:
        return raw if raw.dtype == np.int64 else raw.astype(np.float32, copy=False)

    def parameters(self) -> dict[str, Any]:
        return {}
