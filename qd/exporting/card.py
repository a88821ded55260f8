"""README.md of an export: the model card."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from evaluators.task_data import TaskData
from search_spaces import Metric, Task
from search_spaces.task import Tokens

from ..analysis.lineage import Ancestor
from ..wording import tested
from .architecture import Architecture
from .formats import OPSET
from .raw_inputs import describe_inputs
from .raw_onnx import FILE
from .raw_onnx import NAME as RAW

ANCESTORS_SHOWN = 12
OUTPUTS = {"Classes": ", a score for each class", "Values": "", "NextToken": ", a score for each token"}


def model_card(
    architecture: Architecture,
    units: Mapping[str, Metric],
    metrics: Mapping[str, Any],
    drawn: bool,
    ancestors: Sequence[Ancestor],
    data: TaskData | None,
    licence: str,
) -> str:
    """Return Markdown.

    Args:
        architecture: what was exported.
        units: {metric: definition}.
        metrics: the content of metrics.json.
        drawn: whether there is a diagram.
        ancestors: the nearest first, the candidate itself among them; empty where the run is not at hand.
        data: what it was trained on; None where the evaluator does not say.
        licence: of the weights.
    """
    parts = [
        f"# {architecture.space['kind']} {architecture.candidate}",
        f"Found by a quality-diversity search with `qd` {architecture.qd_version}: candidate {architecture.candidate}"
        f" of the run `{architecture.run}`.",
        f"    {architecture.readable}",
        _facts(architecture, data, licence),
        "## Metrics\n\n" + _metrics(units, metrics),
        *(["## Modules\n\n![The network's modules](diagram.svg)"] if drawn else []),
        *(["## Lineage\n\n" + _lineage(ancestors)] if ancestors else []),
        *(["## Raw inputs\n\n" + _raw_inputs(architecture, data)] if architecture.task else []),
        "## How to load it\n\n" + _loading(architecture),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(architecture: Architecture, data: TaskData | None, licence: str) -> str:
    rows = {"space": _inline(architecture.space)}
    if architecture.task:
        task = Task.from_plain(architecture.task)
        numbers = "int64" if isinstance(task.input, Tokens) else "float32"
        rows["input"] = f"{numbers}, (batch, {', '.join(map(str, task.input_shape))}), preprocessed"
        rows["output"] = f"(batch, {', '.join(map(str, task.output_shape))})" + OUTPUTS[type(task.output).__name__]
    rows["data"] = f"{data.name}; licence: {data.licence}" if data else "unknown: the evaluator does not say"
    if data is not None and data.split:
        rows["split"] = data.split
    if data is not None and data.class_names:
        rows["classes"] = ", ".join(data.class_names)
    rows["budget"] = _inline(architecture.evaluator)
    if architecture.trained:
        how = architecture.trained
        rows["trained after the search"] = (
            f"{how['epochs']} epochs on {how['examples']} examples; kept is epoch {how['kept']}, the best on the"
            " validation split"
        )
    rows["licence"] = licence
    return _table(["", ""], [[name, value] for name, value in rows.items()])


def _metrics(units: Mapping[str, Metric], metrics: Mapping[str, Any]) -> str:
    measured, verified = metrics["measured"], metrics["verified"] or {}
    seeds = max((spread["seeds"] for spread in verified.values()), default=0)
    head = ["metric", "this network"] + ([f"mean ± spread of {seeds} fresh seeds"] if seeds else []) + ["unit"]
    rows = []
    here = {**measured, **(metrics["test"] or {})}
    unit_of = {name: metric.unit for name, metric in units.items()}
    unit_of |= {tested(name): unit for name, unit in unit_of.items()}
    for name in dict.fromkeys([*here, *verified]):
        row = [name, f"{here[name]:.6g}" if name in here else "–"]
        if seeds:
            row.append(_spread(verified[name]) if name in verified else "–")
        rows.append([*row, unit_of.get(name, "")])
    text = [_table(head, rows)]
    if any(name.startswith("test_") for name in [*here, *verified]):
        text.append(
            "Names that begin with `val_` are scores on the validation split, which networks were chosen by; those that"
            " begin with `test_` are scores on the test split, which nothing was chosen by."
        )
    if seeds:
        text.append("Fresh seeds are networks of this architecture, trained from other initialisations.")
    elif metrics["test"]:
        text.append("The test split was scored once.")
    else:
        text.append("Not verified with fresh seeds (`qd verify`): what a single training reaches is partly luck.")
    text.extend(metrics["remarks"])
    return "\n\n".join(text)


def _spread(spread: Mapping[str, Any]) -> str:
    """Two digits of the spread, and as many decimals of the mean."""
    mean, deviation = spread["mean"], spread["spread"]
    if not deviation:
        return f"{mean:.6g}"
    decimals = max(0, 1 - math.floor(math.log10(deviation)))
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"


def _lineage(ancestors: Sequence[Ancestor]) -> str:
    shown = ancestors[:ANCESTORS_SHOWN]
    rows = [
        [
            str(one.id),
            str(one.generation),
            one.operator,
            ", ".join(map(str, one.parents)) or "–",
            "–" if one.objective is None else f"{one.objective:.4g}",
            f"`{one.readable}`",
        ]
        for one in shown
    ]
    table = _table(["id", "steps back", "operator", "parents", "objective", "architecture"], rows)
    more = len(ancestors) - len(shown)
    return table + (
        f"\n\nand {more} more, back to the first proposals (`qd` keeps them in the run's log)" if more else ""
    )


def _raw_inputs(architecture: Architecture, data: TaskData | None) -> str:
    if data is None or data.preprocessing is None:
        return "The evaluator does not say; they go in as they are."
    assert architecture.task is not None
    plain = data.preprocessing.plain()
    text = describe_inputs(plain, Task.from_plain(architecture.task).input_shape)
    if plain["outputs"]:
        scaling = plain["outputs"]
        spread = ", ".join(f"{mean:.4g} ± {scale:.3g}" for mean, scale in zip(*scaling.values(), strict=True))
        text += f"\n\nValues are {spread}, learnt as (value - mean) / scale; `load.py` gives them in their own units."
    return text


def _loading(architecture: Architecture) -> str:
    if not architecture.task:
        return "It was evaluated without a network of torch: `architecture.json` holds the genotype."
    ways = []
    if RAW in architecture.formats:
        ways.append((f"onnxruntime and numpy alone, {FILE}", _raw_code(architecture.formats[RAW])))
    if "onnx" in architecture.formats:
        ways.append(("onnxruntime and numpy alone", "from load import predict\n\nanswers = predict(raw)"))
    if "torch" in architecture.formats:
        ways.append(("torch alone", "from load import predict, with_torch\n\nanswers = predict(raw, with_torch())"))
    if "safetensors" in architecture.formats:
        plugin = ", plugins=...)  # the folder of its space" if architecture.is_plugin else ")"
        ways.append(("`qd`, for training it further", f'import qd\n\nnetwork = qd.load("this folder"{plugin}'))
    text = "\n\n".join(f"With {what}:\n\n```python\n{code}\n```" for what, code in ways)
    files = [
        "`load.py` (in this folder) takes raw inputs, as the data set has them, and applies `preprocessing.json`;"
        " `predict` gives names of classes, or values in their own units, and `with_onnxruntime()(raw)` all scores."
        " `labels.json` names the outputs."
    ]
    if "onnx" in architecture.formats:
        files.append(f"`model.onnx` has opset {OPSET} and a dynamic batch axis; it takes preprocessed inputs.")
    if "circuit" in architecture.formats:
        files.append(
            "`circuit.svg` shows every operation, with its axes and weights, and `circuit.json` says the same as data:"
            " the network can be made again from it and `weights.safetensors` alone."
        )
    return text + "\n\n" + " ".join(files)


def _raw_code(details: Mapping[str, Any]) -> str:
    """How the file of raw inputs is used, with one row of it."""
    lines = []
    for name, one in details["inputs"].items():
        shape = one["shape"][1:]
        if one["type"] == "string":
            value = 'np.array([[""]], object)'
        else:
            numpy_type = {"float": "float32"}.get(one["type"], one["type"])
            value = f"np.zeros((1, {', '.join(map(str, shape))}), np.{numpy_type})"
        lines.append(f"    {json.dumps(name, ensure_ascii=False)}: {value},")
    return (
        "import numpy as np\nimport onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{FILE}")\n'
        + "\n".join(["raw = {", *lines, "}"])
        + f"\n{', '.join(details['outputs'])}{',' if len(details['outputs']) == 1 else ''} = session.run(None, raw)"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *[[cell.replace("|", "\\|") for cell in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _inline(component: Mapping[str, Any]) -> str:
    rest = [f"{name}: {json.dumps(value)}" for name, value in component.items() if name != "kind"]
    return component["kind"] + (f" ({', '.join(rest)})" if rest else "")
