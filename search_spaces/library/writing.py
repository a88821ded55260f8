"""Trained modules, written into a library's folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from .architecture import takes_any_size
from .input_statistics import InputStatistics
from .record import Interface, ModuleRecord


@dataclass(frozen=True)
class TrainedModule:
    """A module on its way into a library.

    Args:
        part: what it was in its network, such as "conv1".
        architecture: as in `ModuleRecord`.
        module: trained.
        input: what it takes.
        output: what it gives.
        statistics: of its inputs.
        task: that it was trained for.
        accuracy: of its network, in [0, 1].
        source: for people.
    """

    part: str
    architecture: dict[str, Any]
    module: nn.Module
    input: Interface
    output: Interface
    statistics: InputStatistics | None
    task: str
    accuracy: float
    source: str

    @property
    def weights(self) -> dict[str, Tensor]:
        """{name: tensor}, as they are written."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.module.state_dict().items()}

    def record(self, digest: str) -> ModuleRecord:
        """What a library records of it.

        Args:
            digest: of its weights' file.
        """
        return ModuleRecord(
            name=f"{_slug(self.task)}_{_slug(self.part)}_{digest[:8]}",
            architecture=self.architecture,
            input=self.input,
            output=self.output,
            any_size=takes_any_size(self.architecture),
            statistics=self.statistics,
            task=self.task,
            accuracy=self.accuracy,
            source=self.source,
            parameters=sum(parameter.numel() for parameter in self.module.parameters()),
            digest=digest,
        )


def write_module(folder: Path, record: ModuleRecord, weights: bytes) -> None:
    """Write a module's two files. The record last: without one, weights belong to no module."""
    _write(folder / f"{record.name}.safetensors", weights)
    _write(folder / f"{record.name}.json", (json.dumps(record.data(), indent=1) + "\n").encode())


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
