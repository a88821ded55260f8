"""One ONNX file with everything in it: raw inputs in, named classes or values in units of the data out.

The preprocessing and what follows the network are plain data (`Preprocessing.plain`), and become ONNX's own operators
around the network of `model.onnx`. What a table's column is called, its input is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.task_data import TaskData
from search_spaces import Task
from search_spaces.task import Classes, NextToken

from ..errors import QdError, UsageError
from .formats import FORMATS, OPSET
from .onnx_graph import Graph
from .parity import BATCH, TOLERANCE

NAME = "onnx_raw"
FILE = "model_raw.onnx"
ML = "ai.onnx.ml"
ML_OPSET = 3
"""Of its operators; `LabelEncoder` looks up text since 2."""


def check_raw(task: Task, data: TaskData | None) -> None:
    """Refuse what cannot be put into such a file.

    Raises:
        UsageError: nothing is known of raw inputs, or they are text; says what does it instead.
    """
    if data is None or data.preprocessing is None or data.raw is None:
        raise UsageError("`raw`: the evaluator gives no data, so nothing is known of raw inputs; leave it out")
    kind = data.preprocessing.kind
    if kind not in INPUTS or isinstance(task.output, NextToken):
        what = "next tokens" if kind in INPUTS else f"preprocessing of kind {kind}"
        raise UsageError(
            f"`raw`: {what} cannot be put into an ONNX file ({', '.join(INPUTS)} can); leave it out, and use load.py of"
            " the export, which takes raw inputs with numpy alone"
        )


def write_raw(folder: Path, task: Task, data: TaskData) -> dict[str, Any]:
    """Write the file from `model.onnx` beside it.

    Args:
        folder: of the export.
        task: of the network.
        data: whose validation rows say which type raw inputs have.

    Returns:
        What architecture.json says of it.
    """
    import onnx
    from onnx import compose

    assert data.preprocessing is not None
    plain = data.preprocessing.plain()
    network = compose.add_prefix(onnx.load(folder / FORMATS["onnx"].file), "network/")
    before, after = Graph("before/"), Graph("after/")
    prepared, inputs = INPUTS[plain["kind"]](before, plain, _named(data, slice(0, 1)))
    before.add("Identity", prepared, output=network.graph.input[0].name)
    outputs = _finish(after, network.graph.output[0].name, task, data, set(inputs))
    graph = onnx.helper.make_graph(
        [*before.nodes, *network.graph.node, *after.nodes],
        "raw inputs to answers",
        [onnx.helper.make_tensor_value_info(name, kind, ["batch", *shape]) for name, (kind, shape) in inputs.items()],
        [onnx.helper.make_tensor_value_info(name, kind, ["batch", *shape]) for name, (kind, shape) in outputs.items()],
        [*before.constants, *network.graph.initializer, *after.constants],
    )
    operators = {one.domain: one.version for one in network.opset_import} | {ML: ML_OPSET}
    model = onnx.helper.make_model(
        graph,
        functions=network.functions,
        opset_imports=[onnx.helper.make_opsetid(domain, version) for domain, version in operators.items()],
        ir_version=network.ir_version,
        producer_name="qd",
    )
    onnx.checker.check_model(model)
    onnx.save(model, folder / FILE)
    names = {kind: name.lower() for name, kind in onnx.TensorProto.DataType.items()}
    return {
        "file": FILE,
        "opset": OPSET,
        "inputs": {name: {"type": names[kind], "shape": ["batch", *shape]} for name, (kind, shape) in inputs.items()},
        "outputs": list(outputs),
        "dynamic_axes": ["batch"],
    }


def compare_raw(folder: Path, data: TaskData, task: Task, outputs: np.ndarray) -> float:
    """Compare the file's answers to raw validation rows with the trained network's.

    Args:
        folder: of the export.
        data: of which the rows are.
        task: of the network.
        outputs: (N, outputs), the trained network's of all of them.

    Returns:
        The largest difference of a score, or of a value in units of its scale.

    Raises:
        QdError: they differ.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
    starts = [slice(0, 1), *(slice(start, start + BATCH) for start in range(0, len(outputs), BATCH))]
    bound, worst = TOLERANCE * max(1.0, _largest(outputs)), 0.0
    for rows in starts:
        found = [np.asarray(one) for one in session.run(None, _named(data, rows))]
        expected = outputs[rows].astype(np.float64)
        if isinstance(task.output, Classes):
            powers = np.exp(expected - expected.max(1, keepdims=True))
            worst = max(worst, _largest(found[1] - powers / powers.sum(1, keepdims=True)))
            ordered = np.sort(expected, 1)
            clear = ordered[:, -1] - ordered[:, -2] > 2 * bound
            names = np.array(_class_names(data, task), object)[expected.argmax(1)]
            if wrong := int((names != found[0].astype(object))[clear].sum()):
                raise QdError(f"{FILE}: {wrong} of {len(names)} raw rows get another class; nothing was exported")
        else:
            scaling = data.preprocessing.outputs if data.preprocessing else None
            values = expected if scaling is None else scaling.back(expected)
            worst = max(worst, _largest((found[0] - values) / (1 if scaling is None else scaling.scale)))
    if not worst <= bound:
        raise QdError(
            f"{FILE}: its answers to raw rows differ from the trained network's by {worst:.2g}, more than"
            f" {bound:.2g}; nothing was exported. It takes numbers of 32 bits: a column that is large beside its"
            " differences, such as a time in seconds, loses them; leave that column out, or `raw`"
        )
    return worst


def _largest(differences: np.ndarray) -> float:
    return float(np.abs(differences).max())


def _named(data: TaskData, rows: slice) -> dict[str, np.ndarray]:
    """Raw validation rows by the names of the file's inputs."""
    assert data.raw is not None and data.preprocessing is not None
    named = data.preprocessing.named(data.raw("validation")[rows])
    columns = {name: array[:, None] if array.ndim == 1 else array for name, array in named.items()}
    return {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in columns.items()}


Shapes = dict[str, tuple[int, Sequence[int]]]
"""{input or output: (type, shape without the batch axis)}."""


def _types(example: Mapping[str, np.ndarray]) -> Shapes:
    import onnx

    return {
        name: (
            onnx.TensorProto.STRING if array.dtype == object else onnx.helper.np_dtype_to_tensor_dtype(array.dtype),
            array.shape[1:],
        )
        for name, array in example.items()
    }


def _as_it_is(graph: Graph, plain: Mapping[str, Any], example: Mapping[str, np.ndarray]) -> tuple[str, Shapes]:
    tokens = example["input"].dtype == np.int64
    return ("input" if tokens else graph.number("input")), _types(example)


def _standardise(graph: Graph, plain: Mapping[str, Any], example: Mapping[str, np.ndarray]) -> tuple[str, Shapes]:
    centred = graph.add("Sub", graph.number("input"), graph.constant(np.float32(plain["mean"])))
    scaled = graph.add("Div", centred, graph.constant(np.float32(plain["scale"])))
    missing = graph.add("IsNaN", scaled)
    return graph.add("Where", missing, graph.constant(np.float32(0)), scaled), _types(example)


def _table(graph: Graph, plain: Mapping[str, Any], example: Mapping[str, np.ndarray]) -> tuple[str, Shapes]:
    numbers = [number for text in plain["missing"] if np.isfinite(number := _number(text))]
    parts = []
    for column in plain["columns"]:
        if column["kind"] == "number":
            parts.extend(_number_column(graph, column, numbers))
        else:
            parts.append(_category_column(graph, column, plain["missing"]))
    return graph.add("Concat", *parts, axis=1), _types(example)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _number_column(graph: Graph, column: Mapping[str, Any], numbers: Sequence[float]) -> list[str]:
    missing = graph.add("IsNaN", column["name"])
    for number in numbers:
        same = graph.add("Equal", column["name"], graph.constant(np.float32(number)))
        missing = graph.add("Or", missing, same)
    value = graph.add("Where", missing, graph.constant(np.float32(column["median"])), column["name"])
    centred = graph.add("Sub", value, graph.constant(np.float32(column["mean"])))
    scaled = graph.add("Div", centred, graph.constant(np.float32(column["scale"])))
    return [scaled, graph.number(missing)] if column["indicator"] else [scaled]


def _category_column(graph: Graph, column: Mapping[str, Any], missing: Sequence[str]) -> str:
    categories = column["categories"]
    size = len(categories) + column["missing"] + column["other"]
    other = size - 1 if column["other"] else -1
    places = dict.fromkeys(missing, len(categories) if column["missing"] else other)
    places |= {text: place for place, text in enumerate(categories)}
    place = graph.add(
        "LabelEncoder",
        column["name"],
        domain=ML,
        keys_strings=list(places),
        values_int64s=list(places.values()),
        default_int64=other,
    )
    return graph.number(graph.add("Equal", place, graph.constant(np.arange(size)[None])))


INPUTS = {"as_it_is": _as_it_is, "standardise": _standardise, "table": _table}
"""{kind of preprocessing: adds it, and gives the name of its output and the file's inputs}."""


def _class_names(data: TaskData, task: Task) -> list[str]:
    return list(data.class_names) or [str(number) for number in range(task.outputs)]


def _finish(graph: Graph, scores: str, task: Task, data: TaskData, taken: set[str]) -> Shapes:
    import onnx

    def name(plain: str) -> str:
        return f"predicted_{plain}" if plain in taken else plain

    if isinstance(task.output, Classes):
        best = graph.add("ArgMax", scores, axis=1, keepdims=0)
        names = _class_names(data, task)
        graph.add(
            "LabelEncoder",
            best,
            output=name("label"),
            domain=ML,
            keys_int64s=list(range(len(names))),
            values_strings=names,
        )
        graph.add("Softmax", scores, output=name("scores"), axis=1)
        return {
            name("label"): (onnx.TensorProto.STRING, ()),
            name("scores"): (onnx.TensorProto.FLOAT, (task.outputs,)),
        }
    scaling = data.preprocessing.outputs if data.preprocessing else None
    scale, mean = (1.0, 0.0) if scaling is None else (scaling.scale, scaling.mean)
    scaled = graph.add("Mul", scores, graph.constant(np.float32(scale)))
    graph.add("Add", scaled, graph.constant(np.float32(mean)), output=name("value"))
    return {name("value"): (onnx.TensorProto.FLOAT, (task.outputs,))}
