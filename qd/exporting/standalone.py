"""Loads the network in this folder in three ways; only `with_qd` needs the package that found it.

    from load import with_onnxruntime, with_torch, with_qd, labels

    network = with_onnxruntime()
    scores = network(raw)  # raw: (batch, *input_shape), as the data set has it; preprocessing is applied here
    names = predict(raw, network)  # of classes; of values these, in the units of the data

Of a table, raw is a list of rows {column: value}, or {column: list of values}, a data frame among them.
`python load.py` says which of the ways work on this machine.
"""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def preprocessing():
    """What is done to raw inputs, by kind, and to values that come out: plain data, fitted to the training examples."""
    return _read("preprocessing.json", ("kind", "input_shape", "outputs"))


def prepare(raw):
    """Raw inputs as the network takes them, an array of float32 or int64. Needs numpy.

    Of texts, raw is a list of them; where they were cut by a tokenizer's file, the package tokenizers is needed too.
    """
    import numpy as np

    how = preprocessing()
    if how["kind"] == "as_it_is":
        raw = np.asarray(raw)
        return raw if raw.dtype == np.int64 else np.float32(raw)
    if how["kind"] == "standardise":
        return np.nan_to_num((np.float32(raw) - np.float32(how["mean"])) / np.float32(how["scale"]))
    if how["kind"] == "text":
        return _encode(raw, how)
    if how["kind"] == "table":
        return _table(raw, how)
    raise ValueError(f"preprocessing.json: this file knows no preprocessing of kind {how['kind']!r}")


def _encode(texts, how):
    """Texts as numbers of the vocabulary, (texts, steps) int64: 0 fills up, 1 is what the vocabulary lacks."""
    import numpy as np

    numbers = {token: number for number, token in enumerate(how["vocabulary"], start=2)}
    found = np.zeros((len(texts), how["steps"]), np.int64)
    for row, text in enumerate(texts):
        tokens = _tokens(text, how)
        tokens = tokens[-how["steps"] :] if how["keep"] == "last" else tokens[: how["steps"]]
        found[row, : len(tokens)] = [numbers.get(token, 1) for token in tokens]
    return found


def _tokens(text, how):
    if how["tokens"] == "characters":
        return list(text)
    if how["tokens"] == "words":
        return re.findall(r"\w+|[^\w\s]", text.lower())
    from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]

    return Tokenizer.from_str(how["tokenizer"]).encode(text, add_special_tokens=False).tokens


def finish(outputs):
    """Outputs of the network in the units of the data. Needs numpy."""
    import numpy as np

    scaling = preprocessing()["outputs"]
    return outputs if scaling is None else outputs * np.float32(scaling["scale"]) + np.float32(scaling["mean"])


def labels():
    """What the outputs stand for; empty where they are no classes."""
    return _read("labels.json")


def predict(raw, network=None):
    """The class of each raw input, a list of names; or its values, (batch, values), in the units of the data.

    `network` is what one of the ways below gave; without it, onnxruntime is tried and then torch. Needs numpy.
    """
    kind = _read("architecture.json", ("task",))["task"]["output"]["kind"]
    if kind == "next_token":
        raise ValueError("this network scores tokens that may follow: use with_onnxruntime() or with_torch()")
    outputs = (network or _first_way())(raw)
    if kind == "values":
        return outputs
    names = labels()
    return [names[number] if names else str(number) for number in outputs.argmax(1)]


def with_onnxruntime():
    """Needs onnxruntime and numpy: a function from an array of raw inputs to an array of outputs."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(_file("model.onnx"), providers=["CPUExecutionProvider"])
    return lambda raw: finish(np.asarray(session.run(None, {"input": prepare(raw)})[0]))


def with_torch():
    """Needs torch: a function from a tensor of raw inputs to one of outputs; with numpy of what `prepare` takes."""
    import torch

    module = torch.export.load(_file("model.pt2")).module()

    @torch.no_grad()
    def network(raw):
        if isinstance(raw, torch.Tensor):
            return _finish_tensor(module(_prepare_tensor(raw)))
        return finish(module(torch.from_numpy(prepare(raw))).numpy())

    return network


def _prepare_tensor(raw):
    import torch

    how = preprocessing()
    if how["kind"] == "standardise":
        mean, scale = (torch.tensor(how[name], dtype=torch.float32) for name in ("mean", "scale"))
        return torch.nan_to_num((raw.to(torch.float32) - mean) / scale)
    if how["kind"] == "as_it_is":
        return raw if raw.dtype == torch.int64 else raw.to(torch.float32)
    raise TypeError(f"expected what preprocessing of kind {how['kind']} takes (see `prepare`), got a tensor")


def _finish_tensor(outputs):
    import torch

    scaling = preprocessing()["outputs"]
    if scaling is None:
        return outputs
    return outputs * torch.tensor(scaling["scale"]) + torch.tensor(scaling["mean"])


def with_qd(plugins=None):
    """Needs qd: the `torch.nn.Module` itself, for training; it takes preprocessed inputs."""
    from qd import load

    return load(FOLDER, plugins)


def _first_way():
    try:
        return with_onnxruntime()
    except (ImportError, FileNotFoundError):
        return with_torch()


def _table(raw, how):
    """Rows of a table as numbers: each column's side by side, in the order of `columns`."""
    import numpy as np

    names = [column["name"] for column in how["columns"]]
    if not hasattr(raw, "keys"):
        rows = list(raw)
        for place, row in enumerate(rows):
            if left := [name for name in names if name not in row]:
                raise ValueError(f"row {place}: expected a value of {', '.join(left)} (None where it is missing)")
        raw = {name: [row[name] for row in rows] for name in names}
    if left := [name for name in names if name not in raw]:
        raise ValueError(f"expected columns {', '.join(names)}; {', '.join(left)} are not there")
    if flat := [name for name in names if isinstance(raw[name], str) or not hasattr(raw[name], "__len__")]:
        raise ValueError(f"{flat[0]}: expected a list of values, got {raw[flat[0]]!r}; give one row as [{{...}}]")
    numbers = {float(text) for text in how["missing"] if _is_number(text)}
    parts = []
    for column in how["columns"]:
        texts = [_text(value) for value in raw[column["name"]]]
        gone = [text in how["missing"] or (_is_number(text) and float(text) in numbers) for text in texts]
        texts = ["" if none else text for text, none in zip(texts, gone, strict=True)]
        apply = _number_column if column["kind"] == "number" else _category_column
        parts.append(apply(texts, column))
    return np.concatenate(parts, 1).astype(np.float32)


def _number_column(texts, column):
    import numpy as np

    if odd := [text for text in texts if text and not _is_number(text)]:
        raise ValueError(f"{column['name']}: expected numbers, got {odd[0]!r}")
    found = np.array([float(text or "nan") for text in texts], float)
    missing = np.isnan(found)
    scaled = (np.where(missing, column["median"], found) - column["mean"]) / column["scale"]
    return np.stack([scaled, missing] if column["indicator"] else [scaled], 1)


def _category_column(texts, column):
    import numpy as np

    size = len(column["categories"]) + column["missing"] + column["other"]
    other = size - 1 if column["other"] else -1
    places = {"": len(column["categories"]) if column["missing"] else other}
    places.update((text, place) for place, text in enumerate(column["categories"]))
    return np.array([places.get(text, other) for text in texts], int)[:, None] == np.arange(size)


def _text(value):
    """A value as the name of a category; whole numbers are written without a point. None is a missing one."""
    if hasattr(value, "is_integer") and not isinstance(value, int) and value.is_integer():
        value = int(value)
    return "" if value is None or (isinstance(value, float) and value != value) else str(value).strip()


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _file(name):
    path = FOLDER / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; was the network exported in this format?")
    return path


def _read(name, keys=()):
    path = _file(name)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in keys if key not in data]
        if missing:
            raise ValueError(f"expected {', '.join(missing)} in it")
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: the file is damaged ({error}); copy it again from the export") from None
    return data


if __name__ == "__main__":
    for way in (with_onnxruntime, with_torch, with_qd):
        try:
            way()
        except Exception as error:
            print(f"{way.__name__}: {type(error).__name__}: {error}")
        else:
            print(f"{way.__name__}: works")
