"""The files of a network: how each is written and read again. `FORMATS` says what may be named."""

from __future__ import annotations

import contextlib
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import QdError
from .load import WEIGHTS, load

OPSET = 18
"""Of ONNX's standard operators; onnxruntime reads it since 1.14 (2023)."""

Network = Callable[[np.ndarray], np.ndarray]
"""(B, *input_shape) float32, preprocessed → (B, outputs) float32."""


class Format(ABC):
    """One file of an export."""

    file: str
    details: Mapping[str, Any]
    """What architecture.json says of it."""
    fixed = True
    """Whether the file is for use alone: then it holds the network as its space deploys it (`SearchSpace.deployed`)."""

    @abstractmethod
    def write(self, network: Any, example: Any, folder: Path) -> None:
        """Write a network in evaluation mode; `example` is a minibatch of inputs, a tensor.

        Raises:
            QdError: this network cannot be written so.
        """

    @abstractmethod
    def read(self, folder: Path, plugins: Path | None) -> Network:
        """Load what was written."""


class Safetensors(Format):
    """The weights alone; the space builds the network."""

    file = WEIGHTS
    details = {"file": WEIGHTS}
    fixed = False

    def write(self, network: Any, example: Any, folder: Path) -> None:
        from safetensors.torch import save

        # cloned: safetensors refuses tensors that share memory, as tied weights do
        tensors = {name: tensor.detach().clone().contiguous() for name, tensor in network.state_dict().items()}
        (folder / self.file).write_bytes(save(tensors))

    def read(self, folder: Path, plugins: Path | None) -> Network:
        return as_function(load(folder, plugins))


class TorchExport(Format):
    """`torch.export`'s archive, for a Python or C++ with torch and nothing else."""

    file = "model.pt2"
    details = {"file": file, "input": "input", "dynamic_axes": ["batch"]}

    def write(self, network: Any, example: Any, folder: Path) -> None:
        import torch

        with _quiet():
            torch.export.save(_traced(network, example), folder / self.file)

    def read(self, folder: Path, plugins: Path | None) -> Network:
        import torch

        with _quiet():
            return as_function(torch.export.load(folder / self.file).module())


class Onnx(Format):
    """ONNX, for onnxruntime and whatever else reads it."""

    file = "model.onnx"
    details = {"file": file, "opset": OPSET, "input": "input", "output": "output", "dynamic_axes": ["batch"]}

    def write(self, network: Any, example: Any, folder: Path) -> None:
        import torch

        try:
            with _quiet():
                program = torch.onnx.export(
                    _traced(network, example),
                    (example,),
                    dynamo=True,
                    opset_version=OPSET,
                    input_names=["input"],
                    output_names=["output"],
                    dynamic_shapes=_shapes(),
                    verbose=False,
                )
                assert program is not None
                program.save(folder / self.file, external_data=False)
        except torch.onnx.OnnxExporterError as error:
            raise QdError(f"this network cannot be written as ONNX: {error}") from error

    def read(self, folder: Path, plugins: Path | None) -> Network:
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / self.file, providers=["CPUExecutionProvider"])
        return lambda inputs: np.asarray(session.run(None, {"input": inputs})[0])


FORMATS: dict[str, Format] = {"safetensors": Safetensors(), "onnx": Onnx(), "torch": TorchExport()}


def as_function(network: Any) -> Network:
    """A torch module as a function of arrays; it computes on the module's device."""
    import torch

    held = next(chain(network.parameters(), network.buffers()), None)
    device = None if held is None else held.device

    @torch.no_grad()
    def function(inputs: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(inputs).to(device)).numpy(force=True)

    return function


def _traced(network: Any, example: Any) -> Any:
    import torch

    try:
        program = torch.export.export(network, (example,), dynamic_shapes=_shapes())
    except Exception as error:  # torch has no common class for what a stranger's forward() may run into
        raise QdError(
            f"torch.export cannot trace this network ({type(error).__name__}: {error}). Its forward() must not depend"
            " on the values of tensors; or leave onnx and torch out: `formats` safetensors"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def _shapes() -> Any:
    import torch

    return ({0: torch.export.Dim("batch")},)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # torch warns of its own deprecations, and logs that torchvision, which nobody asked for, is not there
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
