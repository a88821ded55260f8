"""Loads the network in this folder in three ways; only `with_qd` needs the package that found it.

    from load import with_onnxruntime, with_torch, with_qd, labels

    network = with_onnxruntime()
    scores = network(raw)  # raw: (batch, *input_shape), as the data set has it; preprocessing is applied here

`python load.py` says which of the ways work on this machine.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def preprocessing():
    """{"input_shape", "mean", "scale"}: (raw - mean) / scale is what goes into the network."""
    return _read("preprocessing.json", ("input_shape", "mean", "scale"))


def labels():
    """What the outputs stand for; empty where they are no classes."""
    return _read("labels.json")


def with_onnxruntime():
    """Needs onnxruntime and numpy: a function from an array of raw inputs to an array of outputs."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(_file("model.onnx"), providers=["CPUExecutionProvider"])
    how = preprocessing()
    mean, scale = np.float32(how["mean"]), np.float32(how["scale"])
    return lambda raw: session.run(None, {"input": (np.float32(raw) - mean) / scale})[0]


def with_torch():
    """Needs torch: a function from a tensor of raw inputs to a tensor of outputs."""
    import torch

    module = torch.export.load(_file("model.pt2")).module()
    how = preprocessing()
    mean = torch.tensor(how["mean"], dtype=torch.float32)

    @torch.no_grad()
    def network(raw):
        return module((raw.to(torch.float32) - mean) / how["scale"])

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
