"""From a CSV file to a file that tells raw rows by itself, wherever onnxruntime and numpy are."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper

import qd
from evaluators.data import Split
from evaluators.data.table import Table
from evaluators.preprocessing import AsItIs, Preprocessing, Scaling, Standardise
from evaluators.task_data import Examples, TaskData
from qd.errors import QdError, UsageError
from qd.exporting import load, standalone
from qd.exporting.formats import OPSET, as_function
from qd.exporting.raw_onnx import check_raw, compare_raw, write_raw
from search_spaces import Task
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Values

LAYER = {"kind": "moe", "experts": [8, 8], "top_k": 1, "residual": True}
SMALL = {"width": 16, "activation": "relu", "layers": [LAYER]}
COLUMNS = ("age", "value", "city")
ALONE = """
import importlib.abc, json, sys
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "qd", "evaluators", "search_spaces", "pandas", "pyarrow", "onnx"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Guard())
folder, rows = sys.argv[1:]
sys.path.insert(0, folder)
import numpy as np, onnxruntime
import load
rows = json.loads(rows)
by_rows, outputs = load.predict(rows), load.with_onnxruntime()(rows)
by_columns = load.predict({name: [row[name] for row in rows] for name in rows[0]})
numbers = lambda name: np.array([[float(row[name] or "nan")] for row in rows], np.float32)
session = onnxruntime.InferenceSession(folder + "/model_raw.onnx")
cities = np.array([[row["city"].strip()] for row in rows], object)
raw = {"age": numbers("age"), "value": numbers("value"), "city": cities}
answers = [np.asarray(answer).tolist() for answer in session.run(None, raw)]
names = [one.name for one in session.get_outputs()]
print(json.dumps([np.asarray(by_rows).tolist(), np.asarray(by_columns).tolist(), outputs.tolist(), answers, names]))
"""


def write_table(path: Path, target: str) -> None:
    rng = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, target])
        for row in range(90):
            age, value = rng.integers(18, 80), rng.normal(5, 3)
            told = 1000 + 40 * value + age if target == "price" else ("dear", "cheap")[int(value > 5)]
            city = ["Bern", " Rome", "?", f"rare {row}"][min(3, int(rng.integers(0, 10)) // 3)]
            writer.writerow(["" if row % 9 == 0 else age, f"{value:.3f}", city, told])


@pytest.mark.slow
@pytest.mark.parametrize(("target", "outputs"), [("class", ["label", "scores"]), ("price", ["predicted_value"])])
def test_raw_rows_are_told_alike_by_qd_load_py_and_onnxruntime_alone(tmp_path, qd_command, target, outputs):
    write_table(tmp_path / "a.csv", target)
    run = {
        "space": {"kind": "sparse_moe"},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "table", "path": "a.csv", "target": target, "split": {"seed": 2}},
            "training": {"epochs": 3},
        },
        "archive": {
            "objective": "val_r2" if target == "price" else "val_accuracy",
            "measures": [{"metric": "parameters", "low": 100, "high": 100_000, "bins": 2, "scale": "log"}],
        },
        "search": {"seed": 1},
        "imported": [SMALL],
        "budget": {"evaluations": 1},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    qd.run(tmp_path / "run.yaml", out=tmp_path / "run")
    home = tmp_path / "home"
    answer = qd_command(
        "export", str(tmp_path / "run"), "--best", "--to", str(home), "--format", "safetensors,onnx", "--raw"
    )
    assert answer.status == 0, answer.err
    assert "safetensors, onnx, onnx_raw compared" in answer.err

    with (tmp_path / "a.csv").open(newline="") as file:
        rows = [{name: row[name] for name in COLUMNS} for row in csv.DictReader(file)]
    alone = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(home), json.dumps(rows)], capture_output=True, text=True, check=False
    )
    assert alone.returncode == 0, alone.stderr
    by_rows, by_columns, scores, answers, names = json.loads(alone.stdout)
    data = Table(tmp_path / "a.csv", target, split=Split(seed=2))
    network = as_function(load(home).eval())
    found = network(data.preprocessing().apply(data.read().inputs[:]))
    assert names == outputs
    assert by_rows == by_columns
    if target == "price":
        scaling = data.preprocessing().outputs
        assert scaling is not None
        values = scaling.back(found)
        np.testing.assert_allclose(scores, values, rtol=1e-5)
        np.testing.assert_allclose(by_rows, values, rtol=1e-5)
        np.testing.assert_allclose(answers[0], values, rtol=1e-5)
    else:
        np.testing.assert_allclose(scores, found, atol=1e-5)
        expected = [data.class_names[best] for best in found.argmax(1)]
        assert by_rows == answers[0] == expected
        np.testing.assert_allclose(answers[1], torch.from_numpy(found).softmax(1).numpy(), atol=1e-5)
    card = (home / "README.md").read_text()
    assert "| city | category | `Rome`, `Bern`; others are one category | a category of its own |" in card
    assert "at random" in card and f"{', '.join(outputs)}" in card and "model_raw.onnx" in card


def task_data(raw: np.ndarray, preprocessing: Preprocessing, names: tuple[str, ...] = ()) -> TaskData:
    examples = Examples(preprocessing.apply(raw), np.zeros(len(raw), np.int64))
    return TaskData("drawn", lambda part: examples, lambda *_: {}, None, preprocessing, names, raw=lambda part: raw)


def linear(path: Path, inputs: int, outputs: int) -> Callable[[np.ndarray], np.ndarray]:
    """Write a layer of one matrix as `torch.onnx` would, and return what it computes."""
    matrix = np.random.default_rng(0).normal(size=(inputs, outputs)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("MatMul", ["flat", "matrix"], ["output"]),
        ],
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10), path)
    return lambda prepared: prepared.reshape(len(prepared), -1) @ matrix


@pytest.mark.parametrize(
    ("task", "raw", "preprocessing"),
    [
        (
            Task(Image(1, 3, 4), Classes(3)),
            np.arange(60, dtype=np.uint8).reshape(5, 1, 3, 4) * 4,
            Standardise(np.full((1, 3, 4), 100, np.float32), np.array(30.0)),
        ),
        (
            Task(Series(4, 2), Values(2)),
            np.where(np.arange(40) % 7 == 0, np.nan, np.arange(40.0)).reshape(5, 4, 2),
            Standardise(
                np.array([10, 20.0]), np.array([2, 3.0]), outputs=Scaling(np.array([5, 1e4]), np.array([2, 1e3]))
            ),
        ),
        (Task(Series(4, 2), Classes(2)), np.arange(40.0).reshape(5, 4, 2) / 40, AsItIs()),
    ],
)
def test_images_and_series_go_in_as_they_are_read(tmp_path, task, raw, preprocessing):
    network = linear(tmp_path / "model.onnx", raw[0].size, task.outputs)
    names = ("one", "two", "three")[: task.outputs] if isinstance(task.output, Classes) else ()
    data = task_data(raw, preprocessing, names)
    check_raw(task, data)
    details = write_raw(tmp_path, task, data)
    assert details["inputs"]["input"]["type"] == ("uint8" if raw.dtype == np.uint8 else "float")
    outputs = network(preprocessing.apply(raw))
    assert compare_raw(tmp_path, data, task, outputs) < 1e-5
    with pytest.raises(QdError, match=r"model_raw.onnx: .*nothing was exported"):
        compare_raw(tmp_path, data, task, outputs[::-1] + 1 * np.arange(task.outputs))


def test_what_has_no_raw_file_is_refused(tmp_path):
    class Text(AsItIs):
        kind = "text"

    raw = np.zeros((2, 3), np.int64)
    told = Task(Tokens(3, 5), Classes(2))
    with pytest.raises(UsageError, match=r"`raw`: preprocessing of kind text cannot be put into .* use load.py"):
        check_raw(told, task_data(raw, Text()))
    with pytest.raises(UsageError, match="`raw`: next tokens cannot be put into an ONNX file"):
        check_raw(Task(Tokens(3, 5), NextToken(5)), task_data(raw, AsItIs()))
    with pytest.raises(UsageError, match="the evaluator gives no data"):
        check_raw(told, None)
    with pytest.raises(UsageError, match="`raw` is made from the ONNX file, and `formats` has torch; add onnx to it"):
        qd.export(tmp_path, tmp_path / "home", best=True, formats="torch", raw=True)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([{"age": 1}], "row 0: expected a value of city"),
        ({"age": [1]}, "expected columns age, city; city are not there"),
        ({"age": 1, "city": "Bern"}, "age: expected a list of values, got 1"),
        ([{"age": "old", "city": "Bern"}], "age: expected numbers, got 'old'"),
    ],
)
def test_raw_rows_that_do_not_fit_are_refused(tmp_path, raw, message):
    age = {"kind": "number", "name": "age", "median": 3.0, "mean": 2.0, "scale": 4.0, "indicator": True}
    city = {"kind": "category", "name": "city", "categories": ["1", "b"], "missing": True, "other": False}
    plain = {"kind": "table", "columns": [age, city], "missing": ["", "NA", "-999"], "outputs": None}
    with pytest.raises(ValueError, match=message):
        standalone._table(raw, plain)
    rows = [{"age": None, "city": np.float64(1)}, {"age": -999.0, "city": "NA"}, {"age": "6", "city": np.nan}]
    expected = [[0.25, 1, 1, 0, 0], [0.25, 1, 0, 0, 1], [1, 0, 0, 0, 1]]
    np.testing.assert_allclose(standalone._table(rows, plain), expected)
