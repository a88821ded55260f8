"""Writes exports: whole folders, checked before they appear."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx
import numpy as np

from evaluators.preprocessing import AsItIs
from evaluators.task_data import TaskData
from search_spaces import Metric

from ..analysis.lineage import Ancestor
from ..candidates import Weights
from ..errors import UsageError, suggest
from ..plots.architecture import diagram
from . import standalone
from .architecture import FILE, Architecture
from .card import model_card
from .formats import FORMATS, as_function
from .load import WEIGHTS, take_weights
from .parity import Parity, Reference
from .raw_onnx import NAME as RAW
from .raw_onnx import check_raw, compare_raw, write_raw

LICENCE = "not stated"


@dataclass
class Export:
    """All that a folder is made of.

    Args:
        architecture: what is exported.
        measured: {metric: value} of this very network.
        units: {metric: definition}.
        network: trained, in evaluation mode; None where there is none of torch.
        weights: its tensors, where there is no network; may be empty.
        data: behind its task; None where the evaluator has none to give.
        verified: {metric: {mean, spread, ...}}; None where it was not verified.
        tested: its scores on the test split, under names of that, where they were asked for.
        deployed: the network as it is used from now on; None where it is the trained one.
        graph: its modules.
        ancestors: the nearest first.
        remarks: what people should know, a sentence each.
        plugins: folder of the space, where it is a plug-in.
        licence: of the weights.
    """

    architecture: Architecture
    measured: Mapping[str, float]
    units: Mapping[str, Metric]
    network: Any = None
    weights: Weights = field(default_factory=dict)
    data: TaskData | None = None
    verified: Mapping[str, Mapping[str, Any]] | None = None
    tested: Mapping[str, float] | None = None
    deployed: Any = None
    graph: networkx.DiGraph | None = None
    ancestors: Sequence[Ancestor] = ()
    remarks: list[str] = field(default_factory=list)
    plugins: Path | None = None
    licence: str = LICENCE

    def write(self, folder: Path, formats: Sequence[str], raw: bool = False) -> Parity | None:
        """Fill an empty folder, and check what was written.

        Args:
            folder: is there.
            formats: names of `FORMATS`; without a network only weights are written.
            raw: whether one more ONNX file takes raw inputs; "onnx" is among the formats then.

        Returns:
            What was compared; None without a network.

        Raises:
            UsageError: nothing is known of raw inputs, or they cannot be put into a file.
            QdError: a format cannot hold this network, or computes something else.
        """
        parity = None
        if self.network is not None:
            if raw:
                check_raw(self.architecture.network_task(str(folder)), self.data)
            self.architecture = replace(
                self.architecture, formats={name: dict(FORMATS[name].details) for name in formats}
            )
            _write_json(folder / FILE, asdict(self.architecture))
            self._write_inputs(folder)
            parity = self._write_network(folder, formats, raw)
        else:
            _write_json(folder / FILE, asdict(self.architecture))
            if self.weights:
                _write_weights(folder / WEIGHTS, self.weights)
        metrics = {
            "measured": dict(self.measured),
            "verified": self.verified,
            "test": dict(self.tested) if self.tested else None,
            "validation": parity.scores if parity else {},
            "units": {name: metric.unit for name, metric in self.units.items()},
            "parity": asdict(parity) if parity else None,
            "remarks": self.remarks,
        }
        _write_json(folder / "metrics.json", metrics)
        if self.graph is not None:
            title = f"{self.architecture.space['kind']} {self.architecture.candidate}"
            task = self.architecture.network_task(str(folder)) if self.architecture.task else None
            svg = diagram(self.graph, task, title, self.architecture.readable)
            (folder / "diagram.svg").write_text(svg)
        drawn = self.graph is not None
        card = model_card(self.architecture, self.units, metrics, drawn, self.ancestors, self.data, self.licence)
        (folder / "README.md").write_text(card)
        return parity

    def _write_inputs(self, folder: Path) -> None:
        task = self.architecture.network_task(str(folder))
        how = self.data.preprocessing if self.data else None
        preprocessing = {"input_shape": list(task.input_shape), **(how or AsItIs()).plain()}
        (folder / "preprocessing.json").write_text(json.dumps(preprocessing) + "\n")  # one line: it may hold an image
        _write_json(folder / "labels.json", list(self.data.class_names) if self.data else [])
        shutil.copyfile(standalone.__file__, folder / "load.py")

    def _write_network(self, folder: Path, formats: Sequence[str], raw: bool) -> Parity:
        import torch

        from ..training.inputs import draw_inputs

        task = self.architecture.network_task(str(folder))
        reference = Reference(as_function(self.network), task, self.data)
        self._compare_with_log(reference.parity)
        example = torch.zeros_like(draw_inputs(task, 2))  # two: torch takes one for a constant
        for name in formats:
            form = FORMATS[name]
            deployed = self.deployed if form.fixed and self.deployed is not None else self.network
            form.write(deployed, example, folder)
            reference.compare(name, form.read(folder, self.plugins))
        if raw:
            assert self.data is not None
            known = {**self.architecture.formats, RAW: write_raw(folder, task, self.data)}
            self.architecture = replace(self.architecture, formats=known)
            _write_json(folder / FILE, asdict(self.architecture))
            reference.parity.differences[RAW] = compare_raw(folder, self.data, task, reference.outputs)
        return reference.parity

    def _compare_with_log(self, parity: Parity) -> None:
        for name, value in parity.scores.items():
            logged = self.measured.get(name)
            if logged is not None and not np.isclose(logged, value, rtol=1e-3, atol=1e-3):
                self.remarks.append(
                    f"On this machine the network scores {name} {value:.6g}; {logged:.6g} was measured."
                )


def check_formats(text: str) -> list[str]:
    """Split "onnx,torch".

    Raises:
        UsageError: naming the unknown one.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"`formats`: unknown format {name!r}{suggest(name, list(FORMATS))}")
    if not names:
        raise UsageError(f"`formats`: expected some of {', '.join(FORMATS)}")
    return names


def check_raw_is_possible(raw: bool, names: Sequence[str] | None) -> None:
    """Refuse a file of raw inputs without the one that it is made from."""
    if raw and names is not None and "onnx" not in names:
        raise UsageError(f"`raw` is made from the ONNX file, and `formats` has {', '.join(names)}; add onnx to it")


def check_free(to: Path) -> None:
    """Refuse a folder that exists, or whose parent does not."""
    if to.exists():
        raise UsageError(f"{to} exists and is never overwritten; choose another `to`")
    if not to.resolve().parent.is_dir():
        raise UsageError(f"{to}: there is no folder {to.resolve().parent}")


@contextmanager
def appearing(to: Path) -> Iterator[Path]:
    """A temporary folder beside `to`, which takes that name when all went well, and is gone otherwise."""
    temporary = to.with_name(f".{to.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(to)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def give_weights(network: Any, weights: Weights, where: str) -> Any:
    """Load arrays into a network, and put it into evaluation mode; without any it keeps its own.

    Raises:
        QdError: they do not fit.
    """
    import torch

    if weights:
        take_weights(network, {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}, where)
    return network.eval()


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n")


def _write_weights(path: Path, weights: Weights) -> None:
    from safetensors.numpy import save

    path.write_bytes(save({name: np.asarray(array, order="C") for name, array in weights.items()}))
