"""What is known of a module of a library: the JSON beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from qd.plain_data import read_json

from .input_statistics import InputStatistics

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
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}, where this version reads format {FORMAT}")
            return cls(
                name=path.stem,
                architecture=data["architecture"],
                input=_interface(data["input"]),
                output=_interface(data["output"]),
                any_size=data["any_size"],
                statistics=None if data["statistics"] is None else InputStatistics.read(data["statistics"]),
                task=str(data["task"]),
                accuracy=float(data["accuracy"]),
                source=str(data["source"]),
                parameters=int(data["parameters"]),
                digest=str(data["digest"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: expected the record of a module, but it is damaged ({error})") from error

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


def _interface(data: Mapping[str, Any]) -> Interface:
    if data["kind"] not in LEVELS:
        raise ValueError(f"an interface is one of {', '.join(LEVELS)}, not {data['kind']!r}")
    return Interface(data["kind"], tuple(int(size) for size in data["shape"]))
