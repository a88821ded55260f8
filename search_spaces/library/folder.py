"""A library of trained modules, opened and added to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from qd.errors import LONGEST_REASON, clipped
from qd.plain_data.tensors import check_fit

from .architecture import build_architecture
from .reading import check_files, digest_of, read_weights
from .record import ModuleRecord
from .writing import TrainedModule, write_module


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
        check_files(folder)
        library = cls(folder, {}, {})
        for path in sorted(folder.glob("*.json")):
            record = ModuleRecord.read(path)
            library._weights[record.name] = read_weights(path.with_suffix(".safetensors"), record)
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
        weights = self._weights[name]
        try:
            self._check_shapes(record, weights)
            with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
                module = build_architecture(record.architecture).float()
            module.load_state_dict(weights)
        except Exception as error:  # whatever a space runs into with what is not for it
            raise ValueError(
                f"{where}: the weights do not fit the record: {clipped(error, LONGEST_REASON)}; build the module again"
            ) from error
        return module

    def _check_shapes(self, record: ModuleRecord, weights: Mapping[str, Tensor]) -> None:
        """Build the module without memory for its weights, as a damaged record may ask for any amount of it."""
        with torch.device("meta"), torch.no_grad():
            module = build_architecture(record.architecture).float()
            check_fit(weights, module)
            shape = tuple(module.eval()(torch.zeros(1, *record.input.shape, dtype=torch.float32)).shape[1:])
        if shape != record.output.shape:
            raise ValueError(
                f"the record says that {record.input} becomes {record.output}, but the module gives"
                f" {'×'.join(map(str, shape))}"
            )

    def add(self, modules: Sequence[TrainedModule]) -> list[ModuleRecord]:
        """Write modules into the folder; returns the new ones: what has weights of a known digest is there already."""
        added = []
        known = {record.digest for record in self}
        for one in modules:
            weights = one.weights
            content = save(weights)
            digest = digest_of(content)
            if digest in known:
                continue
            known.add(digest)
            record = one.record(digest)
            write_module(self.folder, record, content)
            self.records[record.name], self._weights[record.name] = record, weights
            added.append(record)
        return added
