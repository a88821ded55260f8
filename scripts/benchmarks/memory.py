"""What memory a search takes whose data are larger than memory should be: the peak of `qd run` on 2 GB of images.

Every search is a process of its own, with the same few candidates, trained for an epoch on all training images. From
its peak of resident memory that of the same search on a small file is taken away. The images are uint8 in an
uncompressed `.npz`; another such search has them as float32.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from .figures import Figure

ROOT = Path(__file__).parents[2]
QD = "from qd.cli import main; main()"
SHAPE = (3, 32, 32)
SMALL, LARGE = 2_000, 2 * 10**9
"""Images, and bytes of them."""
AT_ONCE = 2_000
CLASSES = 10
RUN_FILE = """
space: {kind: sparse_moe}
evaluator: {kind: supervised, data: {kind: arrays, path: images.npz}, training: {epochs: 1, batch_size: 256}}
archive: {objective: val_accuracy, measures: [{metric: parameters, low: 1000, high: 1000000, scale: log}]}
budget: {evaluations: 2}
"""


def figures() -> list[Figure]:
    """Megabytes, beyond a small file's."""
    found = []
    for dtype in (np.dtype(np.uint8), np.dtype(np.float32)):
        small = _peak(SMALL, dtype)
        count = LARGE // (int(np.prod(SHAPE)) * dtype.itemsize)
        large = _peak(count, dtype)
        found += [
            Figure(f"{SMALL:,} images of {dtype}", [small], "MB"),
            Figure(f"{count:,} images of {dtype}, 2 GB", [large], "MB"),
            Figure(f"2 GB of {dtype} beyond the small file", [large - small], "MB", target=1000),
        ]
    return found


def _peak(count: int, dtype: np.dtype) -> float:
    """Megabytes of resident memory that a search takes at most."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "images.npz", count, dtype)
        (folder / "run.yaml").write_text(RUN_FILE)
        process = subprocess.Popen(
            [sys.executable, "-c", QD, "run", "run.yaml", "--out", "run"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the search on {count:,} images failed")
    return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def _write(path: Path, count: int, dtype: np.dtype) -> None:
    """Images whose brightness says a little of their class; a few at a time, so that this process stays small."""
    random = np.random.default_rng(0)
    classes = random.integers(0, CLASSES, count)
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (count, *SHAPE)}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, count, AT_ONCE):
                some = classes[start : start + AT_ONCE]
                images = random.integers(0, 100, (len(some), *SHAPE), np.uint8)
                images += (some * CLASSES).astype(np.uint8)[:, None, None, None]
                file.write(images.astype(dtype).tobytes())
        with archive.open("y.npy", "w") as file:
            np.lib.format.write_array(file, classes, allow_pickle=False)
