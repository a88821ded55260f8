"""Activations of the layers of R networks at once.

Axes: R rows (one network's layer each), B examples, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import ACTIVATIONS


def activate_rows(x_RBW: Tensor, names: Sequence[str]) -> Tensor:
    """Apply each row's own activation."""
    runs = runs_of(names)
    if len(runs) == 1:
        return ACTIVATIONS[names[0]](x_RBW)
    return torch.cat([ACTIVATIONS[name](x_RBW[start:stop]) for name, start, stop in runs])


def runs_of(names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Cut a sequence of names into runs of equal ones: (name, first row, row after the last)."""
    runs: list[tuple[str, int, int]] = []
    for row, name in enumerate(names):
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1], row + 1)
        else:
            runs.append((name, row, row + 1))
    return runs
