"""The tables of NAS-Bench-Graph: where their files are, and how they are read. As a program, it fetches them.

python -m evaluators.data.nas_bench_graph
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import pickle
import struct
import sys
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces.nas_bench_graph import LINKS, OPERATIONS, NASBenchGraph

from .packages import FetchError, Package, data_folder

PACKAGE = Package(
    "pypi", "nas-bench-graph", "1.4.0", "f6ea43836262f1ee8d60c35bbbd20aa2536ee1f8492025e3b0b90096f5afc6ad", megabytes=6
)
FOLDER = "nas_bench_graph/light"
"""Where the files lie in the package."""
SHA256 = {
    "arxiv": "7ee21a7653297a806c0ed1be3efe6ecc06acc84e48e942da0bfde0e5d287debe",
    "citeseer": "99c7f79b73372636305bf73fb32a58b63c57bd1871a152dd62ec72d984c8c50f",
    "computers": "fdb3dc0cf405d62322f0ab9614b2083c2a5e6576c2f43e4f2214be64bc62b1b3",
    "cora": "5e69b2f9bb08d8927d9ffd4921f8494a3cea349c9c3a461334cb9dc9e11701a8",
    "cs": "71ae8469930517160b024f52db6000a4897f1aff5d765beb27bb60952ed5bd31",
    "photo": "5511b4dc3f63fa988792177227db7901290fb9b27fc6c02e3036b29e134ed6df",
    "physics": "1e309bafee0b832c8b84fa3c039c36992bc0a910238b128f26b7e9190d7f2aea",
    "pubmed": "10b4dcf6cfd3a24f6059f7d541a4a872960b4adac0b3dba26abed1bb9a3d904d",
}
"""Of each data set's file, `<name>.bench`. (A ninth, proteins, has other operations.)"""
WAYS = (
    f"Install the extra: pip install 'qdnas[{PACKAGE.name}]'; or run `python -m evaluators.data.nas_bench_graph`, which"
    f" takes the tables out of the package {PACKAGE}; or name a folder that holds"
    " <data set>.bench files by the evaluator's key `folder`."
)


class Entry(NamedTuple):
    """What the table says of one architecture: means over three trainings."""

    val_accuracy: float
    test_accuracy: float
    latency: float
    """Seconds for one pass over the data set."""
    parameters: float
    """Number of them."""


def cache_folder() -> Path:
    """Where fetched files are kept."""
    return data_folder("nas_bench_graph")


def find(data: str, folder: Path | str | None = None) -> Path:
    """Return the file of a data set: in the folder named, else in the cache, else in the installed package.

    Raises:
        ValueError: the file is nowhere.
    """
    name = f"{data}.bench"
    if folder is not None:
        named = Path(folder).expanduser() / name
        if not named.is_file():
            raise ValueError(f"folder: expected {named}, which is not there. {WAYS}")
        return named.resolve()
    places = [cache_folder() / name]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # the package is looked into, never imported
        places.append(Path(str(importlib.metadata.distribution(PACKAGE.name).locate_file(f"{FOLDER}/{name}"))))
    for place in places:
        if place.is_file():
            return place
    raise ValueError(f"data: the table of {data} is not in {cache_folder()}. {WAYS}")


def read_table(path: Path, data: str) -> dict[str, Entry]:
    """Read {key of an architecture in the space `nas_bench_graph`: entry}, 26,206 of them.

    The file is a pickle. It is read when its digest is the one that is known, and then by a reader that can make
    numbers and nothing else.

    Raises:
        ValueError: the file is another than the published one.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[data]:
        raise ValueError(f"{path}: expected the published file, with SHA-256 {SHA256[data]}, got {digest}. {WAYS}")
    space = NASBenchGraph()
    return {
        space.key(_genotype(number)): Entry(row["valid_perf"], row["perf"], row["latency"], row["para"] * 1e6)
        for number, row in _Numbers(io.BytesIO(content)).load().items()
    }


def _genotype(number: int) -> dict[str, Any]:
    """The table numbers architectures by their links and, in base 10, the four operations."""
    operations = [OPERATIONS[number // 10**place % 10] for place in (3, 2, 1, 0)]
    return {"links": LINKS[number // 10**4], "operations": operations}


class _Numbers(pickle.Unpickler):
    """Knows the two names with which numpy pickles a number, and puts functions of our own in their place."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        names = {("numpy.core.multiarray", "scalar"): _double, ("numpy", "dtype"): _DType}
        if (module_name, global_name) not in names:
            raise pickle.UnpicklingError(f"expected numbers alone, got {module_name}.{global_name}")
        return names[module_name, global_name]


class _DType:
    """Stands in for numpy's: all numbers of the tables are little-endian doubles."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _double(dtype: _DType, content: bytes) -> float:
    return struct.unpack("<d", content)[0]


def main() -> int:
    """Fetch what is not there yet. Returns the exit status: 1 where it cannot be had."""
    try:
        folders = {find(data).parent for data in SHA256}
        print(f"The tables of NAS-Bench-Graph are already in {', '.join(map(str, folders))}", file=sys.stderr)
        return 0
    except ValueError:
        pass  # not there yet
    try:
        PACKAGE.fetch([f"{FOLDER}/{data}.bench" for data in SHA256], cache_folder())
    except FetchError as error:
        print(f"The tables of NAS-Bench-Graph could not be fetched ({error}). {WAYS}", file=sys.stderr)
        return 1
    print(f"The tables of NAS-Bench-Graph are in {cache_folder()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
