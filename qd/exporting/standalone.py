"""Loads the network in this folder in three ways; only `with_qd` needs the package that found it.

    from load import with_onnxruntime, with_torch, with_qd, labels

    network = with_onnxruntime()
    scores = network(raw)  # raw: (batch, *input_shape), as the data set has it; preprocessing is applied here

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
    from tokenizers import Tokenizer

    return Tokenizer.from_str(how["tokenizer"]).encode(text, add_special_tokens=False).tokens


def finish(outputs):
    """Outputs of the network in the units of the data. Needs numpy."""
    import numpy as np

    scaling = preprocessing()["outputs"]
    return outputs if scaling is None else outputs * np.float32(scaling["scale"]) + np.float32(scaling["mean"])


def labels():
    """What the outputs stand for; empty where they are no classes."""
    return _read("labels.json")


def with_onnxruntime():
    """Needs onnxruntime and numpy: a function from an array of raw inputs to an array of outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(_file("model.onnx"), providers=["CPUExecutionProvider"])
    return lambda raw: finish(session.run(None, {"input": prepare(raw)})[0])


def with_torch():
    """Needs torch and numpy: a function from an array of raw inputs to an array of outputs."""
    import torch

    module = torch.export.load(_file("model.pt2")).module()

    @torch.no_grad()
    def network(raw):
        return finish(module(torch.from_numpy(prepare(raw))).numpy())

    return network


def with_qd(plugins=None):
    """Needs qd: the `torch.nn.Module` itself, for training; it takes preprocessed inputs."""
    from qd import load

    return load(FOLDER, plugins)


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
