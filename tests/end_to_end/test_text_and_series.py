"""From a person's texts or series to an exported network that answers raw inputs alike where nothing of ours is."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import qd
from evaluators.data.series import Series
from evaluators.data.text import Text

STRANGER = """
import json, sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "qd", "evaluators", "search_spaces", "pandas", "sklearn"):
            raise ImportError(name + " is not here")

sys.meta_path.insert(0, Refused())
sys.path.insert(0, sys.argv[1])
from load import labels, with_onnxruntime

print(json.dumps([labels(), with_onnxruntime()(json.load(sys.stdin)).tolist()]))
"""


def reviews(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Texts that are good where they say so."""
    words = np.random.default_rng(0).choice(["film", "plot", "actor", "scene"], (60, 4))
    texts = [f"{('Good', 'bad')[row % 2]}, {' '.join(line)}" for row, line in enumerate(words.tolist())]
    lines = [f'"{text}",{("good", "bad")[row % 2]}' for row, text in enumerate(texts)]
    (folder / "reviews.csv").write_text("\n".join(["text,verdict", *lines]))
    return {"kind": "text", "path": "reviews.csv", "target": "verdict"}, [*texts[:20], "a word that nobody said"]


def waves(folder: Path) -> tuple[dict[str, Any], list[Any]]:
    """Slow and fast ones, some shorter."""
    series = [np.sin(np.arange(12 - row % 3) * (0.5 + row % 2) + row) for row in range(60)]
    lines = [f"{','.join(map('{:.6f}'.format, one))}:{('slow', 'fast')[row % 2]}" for row, one in enumerate(series)]
    (folder / "waves.ts").write_text("\n".join(["@classLabel true slow fast", "@data", *lines]))
    raw = Series(folder / "waves.ts").read().inputs[:20]
    return {"kind": "series", "path": "waves.ts"}, raw.tolist()


@pytest.mark.parametrize("make", [reviews, waves])
def test_from_files_to_a_network_for_strangers(tmp_path: Path, make: Any) -> None:
    data, raw = make(tmp_path)
    config = {
        "space": {"kind": "sparse_moe"},
        "evaluator": {"kind": "supervised", "data": data, "training": {"epochs": 8, "batch_size": 8}},
        "archive": {
            "objective": "val_accuracy",
            "measures": [{"metric": "active_parameters", "low": 0, "high": 100_000, "bins": 3}],
        },
        "budget": {"evaluations": 3},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    run = qd.run(tmp_path / "run.yaml", out=tmp_path / "run")
    qd.export(run.folder.path, tmp_path / "out", best=True, formats="safetensors,onnx")
    answer = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, tmp_path / "out"],
        input=json.dumps(raw, allow_nan=True),
        capture_output=True,
        text=True,
        check=True,
    )
    names, outputs = json.loads(answer.stdout)
    assert names == (["bad", "good"] if make is reviews else ["slow", "fast"])
    specification = importlib.util.spec_from_file_location("load_of_export", tmp_path / "out" / "load.py")
    assert specification is not None and specification.loader is not None
    loading = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loading)
    with torch.no_grad():
        expected = qd.load(tmp_path / "out").eval()(torch.from_numpy(loading.prepare(raw))).numpy()
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    own = Text(tmp_path / "reviews.csv", target="verdict") if make is reviews else Series(tmp_path / "waves.ts")
    np.testing.assert_array_equal(loading.prepare(raw)[:20], own.preprocessing().apply(own.read().inputs[:20]))
