"""Networks made from their circuits alone: no code of theirs, no pickle.

An operation is looked up by its name: one of `PYTHON`, or one of torch.ops.aten that writes nothing in place and takes
a tensor or is one of `MAKERS`, so that none reads a file.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import QdError

PYTHON: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        operator.getitem, operator.add, operator.sub, operator.mul, operator.floordiv, operator.truediv, operator.mod,
        operator.neg, operator.pow, math.ceil, math.floor, math.sqrt, math.trunc,
    )
}  # fmt: skip
MAKERS = {"arange", "ones", "zeros", "full", "scalar_tensor", "eye", "linspace"}
"""What makes a tensor of numbers."""
NAME = re.compile(r"aten\.(\w+)\.(\w+)")


class Rebuilt(nn.Module):
    """(B, …) to what the network gives. Its parameters are zeros until `load` fills them.

    Args:
        data: a circuit.

    Raises:
        QdError: an operation is none that a circuit may name.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__()
        self.steps = [(one["name"], _called(one["operation"]), one["arguments"]) for one in data["operations"]]
        self.given, self.output = data["input"]["name"], data["output"]
        self.places: dict[str, str] = {}
        for name, one in data["parameters"].items():
            place = self.places[name] = name.replace(".", "/")
            if "same_as" in one:
                self.places[name] = self.places[one["same_as"]]
                continue
            tensor = torch.zeros(one["shape"], dtype=_dtype(one["dtype"]))
            if one["kind"] == "parameter":
                self.register_parameter(place, nn.Parameter(tensor, tensor.is_floating_point()))
            else:
                self.register_buffer(place, tensor)
        for name, one in data["constants"].items():
            place = self.places[name] = "constant/" + name.replace(".", "/")
            values = [float(value["number"]) if isinstance(value, dict) else value for value in one["values"]]
            tensor = torch.tensor(values, dtype=_dtype(one["dtype"])).reshape(one["shape"])
            self.register_buffer(place, tensor, persistent=False)

    def load(self, tensors: Mapping[str, Tensor]) -> Rebuilt:
        """Take the weights, under their names in weights.safetensors; returns itself."""
        self.load_state_dict({self.places[name]: tensor for name, tensor in tensors.items()})
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        values: dict[str, Any] = {self.given: inputs}

        def read(argument: Any) -> Any:
            match argument:
                case list():
                    return [read(one) for one in argument]
                case {"value": name}:
                    return values[name]
                case {"parameter": name} | {"constant": name}:
                    return getattr(self, self.places[name])
                case {"dtype": name}:
                    return _dtype(name)
                case {"number": text}:
                    return float(text)
            return argument

        for name, call, arguments in self.steps:
            values[name] = call({key: read(value) for key, value in arguments.items()})
        return values[self.output]


def rebuild(data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Rebuilt:
    """The network of a circuit with its weights, in evaluation mode."""
    return Rebuilt(data).load(tensors).eval()


def _called(name: str) -> Callable[[dict[str, Any]], Any]:
    """A function of {argument: value}."""
    if name in PYTHON:
        return lambda given: PYTHON[name](*given.values())
    found = NAME.fullmatch(name)
    packet = getattr(torch.ops.aten, found[1], None) if found else None
    overload = getattr(packet, found[2], None) if found and packet else None
    if found is None or not isinstance(overload, torch._ops.OpOverload):
        raise QdError(f"a circuit names the operation {name!r}, which torch {torch.__version__} does not have")
    schema = overload._schema
    takes = any("Tensor" in str(one.type) for one in schema.arguments)
    if schema.is_mutable or not (takes or found[1] in MAKERS):
        raise QdError(f"a circuit names the operation {name!r}, which computes no tensor from tensors")
    order = [one.name for one in schema.arguments if not one.kwarg_only]

    def call(given: dict[str, Any]) -> Any:
        positional = [given.pop(name, None) for name in order]  # what is not said is None
        return overload(*positional, **given)

    return call


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name, None) if re.fullmatch(r"[a-z]+\d*", name) else None
    if not isinstance(found, torch.dtype):
        raise QdError(f"a circuit names the type {name!r}, which is none of numbers")
    return found
