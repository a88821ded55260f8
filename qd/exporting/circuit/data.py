"""A network as plain data: every axis named and sized, every operation in order, grouped by module.

| key | what it says |
|---|---|
| `axes` | {name: size} of each axis; that of the batch, B, has the size "B", and one that grows with it "6·B" |
| `input`, `output` | name, axes and type of what goes in; name of what comes out |
| `modules` | {path: class} of the modules that compute something |
| `parameters` | {name in weights.safetensors: axes, shape, type, kind}; `same_as` where it is another one's tensor |
| `constants` | {name: axes, shape, type, values} of numbers that are no weights, such as angles of positions |
| `operations` | in order: name of what comes out, operation, module, arguments, axes, and those that it runs `over` |

An argument is a number, a text, a list, or `{value: name}` of what an operation or the input gives,
`{parameter: name}`, `{constant: name}`, `{dtype: name}`, `{number: "inf"}`. `defaults` names those that are what torch
takes where nothing is said.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import QdError
from .axes import BATCH, Axes
from .rules import RULES, Call, elsewise

if TYPE_CHECKING:
    import torch

FORMAT = 1
AGAIN = re.compile(r"@(\d+)(?=\.|$)")
CHECKS = re.compile(r"_assert|sym_constrain")
"""Operations that compute nothing."""


def circuit(network: torch.nn.Module, example: torch.Tensor, names: Sequence[str] = ()) -> dict[str, Any]:
    """The circuit of a network in evaluation mode.

    Args:
        network: on the CPU.
        example: (B, …) inputs, of at least two examples.
        names: of the input's axes after the batch.

    Raises:
        QdError: torch.export cannot trace it, or an operation has no name.
    """
    return _Reader(network, _program(network, example), names).data()


def to_text(data: Mapping[str, Any]) -> str:
    """JSON, with a line for each operation, weight and module."""
    parts = []
    for key, value in data.items():
        if key == "operations":
            rows = ",\n".join(f"    {json.dumps(one, allow_nan=False)}" for one in value)
            parts.append(f"  {json.dumps(key)}: [\n{rows}\n  ]")
        elif key in ("modules", "parameters", "constants") and value:
            rows = ",\n".join(
                f"    {json.dumps(name)}: {json.dumps(one, allow_nan=False)}" for name, one in value.items()
            )
            parts.append(f"  {json.dumps(key)}: {{\n{rows}\n  }}")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _program(network: torch.nn.Module, example: torch.Tensor) -> Any:
    from ..tracing import quiet, traced

    with quiet():
        program = traced(network, example)
        # regions without gradients, and what writes in place, are written out
        return program if all(map(_is_plain, program.graph.nodes)) else program.run_decompositions({})


def _is_plain(node: Any) -> bool:
    import torch

    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return node.op in ("placeholder", "output") or getattr(node.target, "__module__", "") in ("_operator", "math")
    return node.target.namespace == "aten" and not node.target._schema.is_mutable


class _Reader:
    """Reads the graph of `torch.export` node by node."""

    def __init__(self, network: torch.nn.Module, program: Any, names: Sequence[str]) -> None:
        self.network, self.program, self.axes = network, program, Axes()
        self.batch = self.axes.new(BATCH)
        self.known: dict[int, str] = {self.batch: "B"}
        self.names = names
        self.of: dict[str, Any] = {}
        """{node: its axes}; of several tensors a list of them."""
        self.references: dict[str, dict[str, str]] = {}
        self.weights: dict[str, list[int]] = {}
        self.inputs: list[Any] = []

    def data(self) -> dict[str, Any]:
        self._placeholders()
        operations = [self._operation(node) for node in self._nodes()]
        [output] = next(node for node in self.program.graph.nodes if node.op == "output").args[0]
        [given] = self.inputs
        last = self.of[output.name][-1]
        if not self.known.keys() & {self.axes.root(last)} and len(self.of[output.name]) > 1:
            self.known[self.axes.root(last)] = "O"
        written = [*self.of[given.name]]
        written += [axis for one in operations for axes in [*one["axes"], one["over"]] for axis in axes]
        weights = [axis for axes in self.weights.values() for axis in axes]
        written += weights
        names = self.axes.names(self.known, written, weights)
        order = dict.fromkeys(map(self.axes.root, written))
        for one in operations:
            one["over"] = [names[axis] for axis in one["over"]]
            several = [[names[axis] for axis in axes] for axes in one["axes"]]
            one["axes"] = several if one.pop("several") else several[0] if several else []
        return {
            "format": FORMAT,
            "axes": {names[axis]: _size(self.axes.size(axis)) for axis in order if names[axis] != "1"},
            "input": {
                "name": given.name,
                "axes": [names[axis] for axis in self.of[given.name]],
                "dtype": _word(given.meta["val"].dtype),
            },
            "output": output.name,
            "modules": self._modules(operations),
            "parameters": dict(self._parameters(names)),
            "constants": dict(self._constants(names)),
            "operations": operations,
        }

    def _placeholders(self) -> None:
        signature = self.program.graph_signature
        state = self.network.state_dict()
        tensors = (
            signature.inputs_to_parameters | signature.inputs_to_buffers | signature.inputs_to_lifted_tensor_constants
        )
        for node in self.program.graph.nodes:
            if node.op != "placeholder":
                continue
            axes = self.axes.news(map(_length, node.meta["val"].shape))
            self.of[node.name] = axes
            if node.name in tensors:
                name = tensors[node.name]
                self.references[node.name] = {"parameter" if name in state else "constant": name}
                self.weights[name] = axes
            else:
                self.of[node.name] = axes = [self.axes.join(self.batch, axes[0]), *axes[1:]]
                self.known |= dict(zip(map(self.axes.root, axes[1:]), self.names, strict=False))
                self.inputs.append(node)

    def _nodes(self) -> list[Any]:
        """Operations in order, without checks and what only those need."""
        needed: set[Any] = set()
        for node in reversed(self.program.graph.nodes):
            checks = node.op == "call_function" and CHECKS.search(str(node.target))
            if node.op == "output" or (not checks and node in needed):
                needed.update(node.all_input_nodes)
        return [node for node in self.program.graph.nodes if node.op == "call_function" and node in needed]

    def _operation(self, node: Any) -> dict[str, Any]:
        import torch

        value = node.meta["val"]
        several = isinstance(value, list | tuple)
        outputs = [one for one in (value if several else [value]) if isinstance(one, torch.Tensor)]
        if isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "aten":
            operation, (given, defaults) = str(node.target), _by_name(node)
        elif getattr(node.target, "__module__", "") in ("_operator", "math"):
            operation, given, defaults = node.target.__name__, dict(zip("abc", node.args, strict=False)), []
        else:
            raise QdError(f"this network cannot be written as a circuit: {node.target} is no operation with a name")
        found, over = self._axes(node, operation, given, [[_length(size) for size in one.shape] for one in outputs])
        self.of[node.name] = found if several else found[0] if found else []
        path = _module(node)
        return {
            "name": node.name,
            "operation": operation,
            "module": path,
            "arguments": {name: self._plain(argument) for name, argument in given.items()},
            "defaults": defaults,
            "over": over,
            "axes": found,
            "several": several,
            **({"dtype": _word(outputs[0].dtype)} if outputs else {"size": _size(_length(value))}),
        }

    def _axes(
        self, node: Any, operation: str, given: Mapping[str, Any], shapes: list[list[int]]
    ) -> tuple[list[list[int]], list[int]]:
        """Those of each tensor that comes out, and those that it runs over."""
        if operation == "getitem":
            return ([self.of[node.args[0].name][node.args[1]]] if shapes else []), []
        tensors = {name: axes for name, value in given.items() if (axes := self._tensors(value))}
        call = Call(tensors, {name: value for name, value in given.items() if name not in tensors}, shapes)
        kind = operation.split(".")[1] if "." in operation else operation
        try:
            found, over = RULES.get(kind, elsewise)(self.axes, call)
        except (KeyError, IndexError, ValueError, TypeError, AssertionError):  # called in a way that no rule knows
            found, over = elsewise(self.axes, call)
        if [[self.axes.size(axis) for axis in axes] for axes in found] != shapes:
            found, over = elsewise(self.axes, call)
        return found, list(dict.fromkeys(over))

    def _tensors(self, value: Any) -> Any:
        """The axes of an argument that is a tensor, or a list of some; else nothing."""
        import torch.fx

        if isinstance(value, torch.fx.Node) and isinstance(value.meta["val"], torch.Tensor):
            return self.of[value.name]
        if isinstance(value, list | tuple) and value:
            return [axes for one in value if (axes := self._tensors(one))]
        return []

    def _plain(self, value: Any) -> Any:
        import torch
        import torch.fx

        match value:
            case torch.fx.Node():
                return self.references.get(value.name, {"value": value.name})
            case list() | tuple():
                return [self._plain(one) for one in value]
            case torch.dtype():
                return {"dtype": _word(value)}
            case torch.device() | torch.layout() | torch.memory_format():
                return None  # the CPU's, dense, in order
            case float() if not math.isfinite(value):
                return {"number": str(value)}
            case None | bool() | int() | float() | str():
                return value
        raise QdError(f"this network cannot be written as a circuit: {value!r} is an argument of an operation")

    def _modules(self, operations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """{path: class}, with those around them."""
        found: dict[str, str] = {}
        for one in operations:
            path = AGAIN.sub("", one["module"])
            parts = path.split(".") if path else []
            for end in range(len(parts) + 1):
                around = ".".join(parts[:end])
                found.setdefault(around, type(self.network.get_submodule(around)).__name__)
        return found

    def _parameters(self, names: Mapping[int, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        trained = {name for name, _ in self.network.named_parameters(remove_duplicate=False)}
        first: dict[int, str] = {}
        for name, tensor in self.network.state_dict(keep_vars=True).items():
            axes = self.weights.get(name) or self.weights.get(first.get(id(tensor), ""))
            told: dict[str, Any] = {
                "axes": [names[axis] for axis in axes] if axes else None,
                "shape": list(tensor.shape),
                "dtype": _word(tensor.dtype),
                "kind": "parameter" if name in trained else "buffer",
            }
            if id(tensor) in first:
                told["same_as"] = first[id(tensor)]
            first.setdefault(id(tensor), name)
            yield name, told

    def _constants(self, names: Mapping[int, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in (one["constant"] for one in self.references.values() if "constant" in one):
            tensor = self.program.constants[name]
            values = [self._plain(value) for value in tensor.flatten().tolist()]
            axes = [names[axis] for axis in self.weights[name]]
            yield name, {"axes": axes, "shape": list(tensor.shape), "dtype": _word(tensor.dtype), "values": values}


def _by_name(node: Any) -> tuple[dict[str, Any], list[str]]:
    """{name: argument}, those of the operation's defaults among them, and the names of these."""
    given: dict[str, Any] = {}
    defaults = []
    for place, one in enumerate(node.target._schema.arguments):
        if place < len(node.args):
            given[one.name] = node.args[place]
        elif one.name in node.kwargs:
            given[one.name] = node.kwargs[one.name]
        elif one.has_default_value() and one.default_value is not None:
            given[one.name] = one.default_value
            defaults.append(one.name)
    return given, defaults


def _module(node: Any) -> str:
    """The path of the module that an operation is in; "@1" and so on stand where one is called again."""
    found, before, number = "", "", 0
    for key, (path, _) in (node.meta.get("nn_module_stack") or {}).items():
        again = AGAIN.search(key) or AGAIN.search(path)
        plain = AGAIN.sub("", path)
        if plain.startswith("_empty"):  # torch does not know where it was
            return ""
        found = found + plain.removeprefix(before) if plain.startswith(before) else plain
        if again and int(again[1]) != number:
            number = int(again[1])
            found += again[0]
        before = plain
    return found


def _length(size: Any) -> int:
    """A size, where `BATCH` stands for that of the batch."""
    if isinstance(size, int):
        return size
    expression = size.node.expr
    return int(expression.subs(dict.fromkeys(expression.free_symbols, BATCH)))


def _size(length: int) -> int | str:
    whole, rest = divmod(length, BATCH)
    return length if not whole or rest else "B" if whole == 1 else f"{whole}·B"


def _word(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
