"""Tables of pandas that others pickled, read without running anything of theirs."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

ALLOWED = {
    ("_codecs", "encode"),
    ("builtins", "object"),
    ("builtins", "slice"),
    ("copy_reg", "_reconstructor"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("pandas", "DataFrame"),
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}
"""What a table is made of; none of them does more than hold data."""


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = {"__builtin__": "builtins"}.get(module, module)
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a table")
        return _made if name == "_reconstructor" else super().find_class(module, name)


def _made(kind: Any, base: type, state: Any) -> Any:
    """An empty object that its state is put into, as protocols before 2 make one."""
    from pandas import DataFrame

    return kind.__new__(kind) if kind is DataFrame else kind.__new__(kind, (), [], False)  # a block manager


def read_tables(content: bytes, where: str) -> Any:
    """Tables, in lists and dictionaries.

    Args:
        content: a pickle.
        where: for messages.

    Raises:
        ValueError: it holds anything else, or is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # older names of numpy's own parts
            return _Restricted(io.BytesIO(content)).load()
    except Exception as error:  # a pickle may end in any
        raise ValueError(f"{where}: expected a table of pandas and nothing else, but {error}") from error
