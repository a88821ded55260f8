"""A library of trained modules: a folder with a JSON record and a safetensors file for each.

Nothing in it is unpickled or executed: an architecture is plain data (`layers`), or a genotype of one of our spaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ..shelf.layers import build_layers
from .input_statistics import InputStatistics

FORMAT = 1
LEVELS = ("image", "features", "vector", "scores")
"""Kinds of interfaces, from the input to the output of a network: (C, H, W), (C, H, W), (D,) and (classes,)."""
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")

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
            data = json.loads(path.read_text(encoding="utf-8"))
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


class Library:
    """The modules of a folder, checked when it is opened: digests, and that weights fit their records.

    Args:
        folder: is there; `add` writes to it.
        records: {name: record}.
        weights: {name: tensors}.
    """

    def __init__(self, folder: Path, records: dict[str, ModuleRecord], weights: dict[str, dict[str, Tensor]]) -> None:
        self.folder, self.records, self._weights = folder, records, weights

    @classmethod
    def open(cls, folder: Path | str, empty: bool = False) -> Library:
        """Read and check a library.

        Args:
            folder: where it lies.
            empty: whether it may hold no module.

        Raises:
            ValueError: it is missing, empty, damaged or changed; says which file, and what to do.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ValueError(f"{folder}: there is no such library; make one: qd library build RUN --to {folder}")
        for path in sorted(folder.iterdir()):
            if path.suffix in PICKLES:
                raise ValueError(
                    f"{path}: a pickle, and a library unpickles nothing: it holds .json and .safetensors files alone;"
                    " take it out"
                )
        library = cls(folder, {}, {})
        for path in sorted(folder.glob("*.json")):
            record = ModuleRecord.read(path)
            library._weights[record.name] = _read_weights(path.with_suffix(".safetensors"), record)
            library.records[record.name] = record
            library.build(record.name)  # raises where its weights do not fit
        if not library.records and not empty:
            raise ValueError(f"{folder}: the library is empty; add modules: qd library build RUN --to {folder}")
        return library

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[ModuleRecord]:
        return iter(self.records.values())

    def build(self, name: str) -> nn.Module:
        """Return a fresh copy of a module with its trained weights, in training mode.

        Raises:
            ValueError: its weights do not fit its architecture, or what it computes its interfaces.
        """
        record = self.records.get(name)
        if record is None:
            raise ValueError(f"{self.folder}: there is no module {name!r}; it has {', '.join(self.records)}")
        where = self.folder / f"{name}.json"
        try:
            with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
                module = build_architecture(record.architecture)
            module.load_state_dict(self._weights[name])
            was, _ = module.training, module.eval()
            with torch.no_grad():
                shape = tuple(module(torch.zeros(1, *record.input.shape)).shape[1:])
            module.train(was)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{where}: the weights do not fit the record: {error}; build the module again") from error
        if shape != record.output.shape:
            raise ValueError(
                f"{where}: the record says that {record.input} becomes {record.output}, but the module gives"
                f" {'×'.join(map(str, shape))}; build the module again"
            )
        return module

    def add(self, modules: Sequence[TrainedModule]) -> list[ModuleRecord]:
        """Write modules into the folder; returns the new ones: what has weights of a known digest is there already."""
        added = []
        known = {record.digest for record in self}
        for one in modules:
            weights = {name: tensor.detach().cpu().contiguous() for name, tensor in one.module.state_dict().items()}
            content = save(weights)
            digest = _digest(content)
            if digest in known:
                continue
            known.add(digest)
            record = ModuleRecord(
                name=f"{_slug(one.task)}_{_slug(one.part)}_{digest[:8]}",
                architecture=one.architecture,
                input=one.input,
                output=one.output,
                any_size=_takes_any_size(one.architecture),
                statistics=one.statistics,
                task=one.task,
                accuracy=one.accuracy,
                source=one.source,
                parameters=sum(parameter.numel() for parameter in one.module.parameters()),
                digest=digest,
            )
            # The record last: without one, weights belong to no module.
            _write(self.folder / f"{record.name}.safetensors", content)
            _write(self.folder / f"{record.name}.json", (json.dumps(record.data(), indent=1) + "\n").encode())
            self.records[record.name], self._weights[record.name] = record, weights
            added.append(record)
        return added


def build_architecture(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the module that a record's `architecture` describes, freshly initialised.

    Raises:
        ValueError: it is unknown.
    """
    if architecture["kind"] == "layers":
        return build_layers(architecture["layers"])
    if architecture["kind"] == "body":
        from ..base import Task
        from ..built_in import built_in_space

        space, task = dict(architecture["space"]), architecture["task"]
        built = built_in_space(space.pop("kind"))(**space)
        network: Any = built.build(
            architecture["genotype"], Task(tuple(task["input_shape"]), task["outputs"], task["loss"])
        )
        network.head = nn.Identity()
        return network
    raise ValueError(f"architecture: expected kind layers or body, got {architecture['kind']!r}")


def _takes_any_size(architecture: Mapping[str, Any]) -> bool:
    if architecture["kind"] != "layers":
        return False
    return all(layer["kind"] not in ("flatten", "linear") for layer in architecture["layers"])


def _interface(data: Mapping[str, Any]) -> Interface:
    if data["kind"] not in LEVELS:
        raise ValueError(f"an interface is one of {', '.join(LEVELS)}, not {data['kind']!r}")
    return Interface(data["kind"], tuple(int(size) for size in data["shape"]))


def _read_weights(path: Path, record: ModuleRecord) -> dict[str, Tensor]:
    again = "restore it from a copy, or build the module again"
    try:
        content = path.read_bytes()
        weights = load(content)
    except OSError as error:
        raise ValueError(f"{path}: the weights of {record.name} are missing ({error.strerror}); {again}") from error
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a safetensors file (a pickle is never read), but it is damaged or something else"
            f" ({error}); {again}"
        ) from error
    if _digest(content) != record.digest:
        raise ValueError(
            f"{path}: the weights have changed since they were recorded: expected the digest {record.digest[:16]}…,"
            f" got {_digest(content)[:16]}…; {again}"
        )
    return weights


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
