"""The files of a network: how each is written and read again. `FORMATS` says what may be named."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import QdError
from .load import WEIGHTS, load
from .tracing import any_batch, quiet, traced

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
    asked = False
    """Whether it is written only where it is asked for."""

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

        with quiet():
            torch.export.save(traced(network, example), folder / self.file)

    def read(self, folder: Path, plugins: Path | None) -> Network:
        import torch

        with quiet():
            return as_function(torch.export.load(folder / self.file).module())


class Onnx(Format):
    """ONNX, for onnxruntime and whatever else reads it."""

    file = "model.onnx"
    details = {"file": file, "opset": OPSET, "input": "input", "output": "output", "dynamic_axes": ["batch"]}

    def write(self, network: Any, example: Any, folder: Path) -> None:
        import torch

        try:
            with quiet():
                program = torch.onnx.export(
                    traced(network, example),
                    (example,),
                    dynamo=True,
                    opset_version=OPSET,
                    input_names=["input"],
                    output_names=["output"],
                    dynamic_shapes=any_batch(),
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


class Circuit(Format):
    """The circuit as data and as a drawing, from which a reader, or `qd.exporting.circuit.rebuild`, makes the network.

    With the weights, as they are in `Safetensors`.
    """

    file = "circuit.json"
    details = {"file": file, "drawing": "circuit.svg", "weights": WEIGHTS}
    fixed = False
    asked = True

    def write(self, network: Any, example: Any, folder: Path) -> None:
        from ..plots.circuit_drawing import drawing
        from .circuit import circuit, to_text

        data = circuit(network, example, AXES[example.ndim - 1] if example.is_floating_point() else ("T",))
        (folder / self.file).write_text(to_text(data))
        (folder / "circuit.svg").write_text(drawing(data, f"{type(network).__name__}, every operation"))
        Safetensors().write(network, example, folder)

    def read(self, folder: Path, plugins: Path | None) -> Network:
        from ..plain_data import read_json
        from ..plain_data.tensors import read_tensors
        from .circuit import rebuild

        return as_function(rebuild(read_json(folder / self.file), read_tensors(folder / WEIGHTS)))


AXES = {0: (), 1: ("F",), 2: ("T", "C"), 3: ("C", "H", "V")}
"""Names of an input's axes after the batch: features, steps and channels, the sides of an image."""
FORMATS: dict[str, Format] = {
    "safetensors": Safetensors(),
    "onnx": Onnx(),
    "torch": TorchExport(),
    "circuit": Circuit(),
}
USUAL = [name for name, one in FORMATS.items() if not one.asked]
"""What is written where nothing is said."""


def as_function(network: Any) -> Network:
    """A torch module as a function of arrays; it computes on the module's device."""
    import torch

    held = next(chain(network.parameters(), network.buffers()), None)
    device = None if held is None else held.device

    @torch.no_grad()
    def function(inputs: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(inputs).to(device)).numpy(force=True)

    return function
