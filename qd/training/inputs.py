"""What networks are trained on: a tensor, or rows that are read when they are asked for."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from search_spaces import Task
from search_spaces.task import Tokens


class Inputs(Protocol):
    """(N, *input_shape) on a device: a tensor is one. A minibatch is asked for by (B,) int64 rows, or by a slice."""

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def shape(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Tensor: ...


class RowsOnDevice:
    """Rows of an array that may be larger than memory; each minibatch is read when it is asked for.

    Args:
        source: (N, *input_shape), gives arrays for (B,) int64 rows or for a slice.
        device: of the tensors.
    """

    def __init__(self, source: Any, device: torch.device) -> None:
        self._source, self.device = source, device
        self.dtype = torch.from_numpy(source[:1]).dtype
        self.shape = torch.Size(source.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        chosen = rows.numpy(force=True) if isinstance(rows, Tensor) else rows
        return torch.from_numpy(np.ascontiguousarray(self._source[chosen])).to(self.device)


def draw_inputs(task: Task, size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random inputs (size, *task.input_shape): normal numbers, or int64 of tokens. Equal seeds give equal ones."""
    generator = torch.Generator().manual_seed(seed)
    if isinstance(task.input, Tokens):
        return torch.randint(task.input.vocabulary, (size, *task.input_shape), generator=generator)
    return torch.randn(size, *task.input_shape, generator=generator, dtype=dtype)


def draw_targets(task: Task, size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random targets of `size` examples: int64 classes or tokens, or values. Equal seeds give equal ones."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size, *task.output_shape)
    if task.loss == "mean_squared_error":
        return torch.randn(*shape, generator=generator, dtype=dtype)
    return torch.randint(task.outputs, shape[:-1], generator=generator)
