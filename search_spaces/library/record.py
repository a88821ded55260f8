"""What is known of a module of a library: the JSON beside its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from qd.errors import shown
from qd.plain_data import read_json, typed

from .input_statistics import LARGEST_INPUT, InputStatistics

FORMAT = 1
LEVELS = ("image", "features", "vector", "scores")
"""Kinds of interfaces, from the input to the output of a network: (C, H, W), (C, H, W), (D,) and (classes,)."""

Kind = Literal["image", "features", "vector", "scores"]


class Interface(NamedTuple):
    """What goes into a module, or what comes out of it.

    Args:
        kind: one of `LEVELS`.
        shape: without the batch axis.
    """

    kind: Kind
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {'×'.join(map(str, self.shape))}"


@dataclass(frozen=True)
class ModuleRecord:
    """What is known of a module.

    Args:
        name: its own, in the library.
        architecture: {"kind": "layers", "layers": [...]}; or {"kind": "body", "space": ..., "genotype": ...,
            "task": ...} for what lies before the head of such a network.
        input: what it takes.
        output: what it gives.
        any_size: whether it takes maps of any height and width.
        statistics: of the inputs that it was trained on; None where they are not known.
        task: that it was trained for.
        accuracy: of the network that it comes from, on validation examples of that task, in [0, 1].
        source: where it comes from, for people.
        parameters: how many it has.
        digest: BLAKE2b of its weights' file.
    """

    name: str
    architecture: dict[str, Any]
    input: Interface
    output: Interface
    any_size: bool
    statistics: InputStatistics | None
    task: str
    accuracy: float
    source: str
    parameters: int
    digest: str

    def takes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that it takes when what comes has `shape`: its own, or the map's where any size will do."""
        if not self.any_size or len(shape) != 3:
            return self.input.shape
        least = 2 ** sum(layer["kind"] == "max_pool" for layer in self.architecture["layers"])
        return (self.input.shape[0], *(max(least, side) for side in shape[1:]))

    @classmethod
    def read(cls, path: Path) -> ModuleRecord:
        """Read a record.

        Raises:
            ValueError: it is damaged, or of another format.
        """
        try:
            data = read_json(path)
            if not isinstance(data, dict) or "format" not in data:
                raise ValueError("expected an object with `format` in it")
            if (found := data.pop("format")) != FORMAT:
                raise ValueError(f"format {shown(found)}, where this version reads format {FORMAT}")
            record = typed({**data, "name": path.stem}, cls)
            record.check()
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: expected the record of a module, but it is damaged ({error})") from error
        return record

    def check(self) -> None:
        """Raise `ValueError` where a value is out of range."""
        for interface in (self.input, self.output):
            dimensions = 3 if interface.kind in ("image", "features") else 1
            if len(interface.shape) != dimensions or min(interface.shape) < 1:
                raise ValueError(f"{interface}: expected {dimensions} sizes of at least 1")
            if math.prod(interface.shape) > LARGEST_INPUT:
                raise ValueError(f"{interface}: expected at most {LARGEST_INPUT:,} numbers")
        if not 0 <= self.accuracy <= 1:
            raise ValueError(f"accuracy: expected 0 to 1, got {self.accuracy}")
        if self.parameters < 0:
            raise ValueError(f"parameters: expected a number of them, got {self.parameters}")
        if self.statistics:
            self.statistics.check()

    def data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "format": FORMAT,
            "architecture": self.architecture,
            "input": {"kind": self.input.kind, "shape": list(self.input.shape)},
            "output": {"kind": self.output.kind, "shape": list(self.output.shape)},
            "any_size": self.any_size,
            "statistics": self.statistics.data() if self.statistics else None,
            "task": self.task,
            "accuracy": self.accuracy,
            "source": self.source,
            "parameters": self.parameters,
            "digest": self.digest,
        }
