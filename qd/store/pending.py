"""Batches that were asked and not told, as an accepted log keeps them until they are told; and states with arrays.

Genotypes that are rows of an array are stored as safetensors, everything else as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter
from safetensors.numpy import load, save

from search_spaces import Genotypes

from ..candidates import Status
from ..errors import QdError
from .documents import PENDING, checked


@dataclass(frozen=True)
class Batch:
    """Candidates that are proposed, sent and told together; each has the id of its one evaluation.

    Args:
        number: counts batches from 0.
        first: id of the first candidate; the others follow.
        session: in which it was asked.
        shares: (emitter, how many) in the order of the rows.
        parents: N tuples of candidate ids.
        operators: N names.
        genotypes: N of them.
    """

    number: int
    first: int
    session: int
    shares: Sequence[tuple[str, int]]
    parents: Sequence[tuple[int, ...]]
    operators: Sequence[str]
    genotypes: Genotypes

    def __len__(self) -> int:
        return len(self.parents)

    @property
    def ids(self) -> np.ndarray:
        """(N,) int64."""
        return np.arange(self.first, self.first + len(self), dtype=np.int64)


class PendingRow(NamedTuple):
    """A batch, as in the table."""

    batch: int
    value: str
    arrays: bytes | None


def pack_batch(batch: Batch) -> PendingRow:
    """A row for the log."""
    in_array = isinstance(batch.genotypes, np.ndarray)
    value = {
        "first": batch.first,
        "session": batch.session,
        "shares": batch.shares,
        "parents": batch.parents,
        "operators": [(name, len(list(rows))) for name, rows in groupby(batch.operators)],
        "genotypes": None if in_array else batch.genotypes,
    }
    arrays = save({"genotypes": np.ascontiguousarray(batch.genotypes)}) if in_array else None
    return PendingRow(batch.number, json.dumps(value, separators=(",", ":")), arrays)


def unpack_batch(row: PendingRow) -> Batch:
    """The batch that was packed.

    Raises:
        ValueError: none was; whatever JSON and safetensors make of nonsense is raised too.
    """
    value = checked(json.loads(row.value), PENDING)
    genotypes = value["genotypes"] if row.arrays is None else load(row.arrays)["genotypes"]
    size = len(value["parents"])
    for name in ("shares", "operators"):
        if sum(rows for _, rows in value[name]) != size:
            raise ValueError(f"the {name} of batch {row.batch} are not those of its {size} candidates")
    if genotypes is None or len(genotypes) != size:
        raise ValueError(f"batch {row.batch} has not {size} genotypes, as it has candidates")
    return Batch(
        row.batch,
        value["first"],
        value["session"],
        [(name, size) for name, size in value["shares"]],
        [tuple(parents) for parents in value["parents"]],
        [name for name, size in value["operators"] for _ in range(size)],
        genotypes,
    )


def pack_state(state: dict[str, Any]) -> tuple[str, bytes | None]:
    """JSON, and the arrays in the emitters' states as safetensors."""
    arrays: dict[str, np.ndarray] = {}
    emitters = {}
    for name, one in state["emitters"].items():
        plain = {}
        for key, value in one["state"].items():
            if isinstance(value, np.ndarray):
                arrays[f"{name}/{key}"] = np.ascontiguousarray(value)
            else:
                plain[key] = value
        emitters[name] = {**one, "state": plain}
    try:
        return json.dumps({**state, "emitters": emitters}, default=_number), save(arrays) if arrays else None
    except (TypeError, ValueError) as error:
        raise QdError(
            f"emitters ({', '.join(emitters)}): state() must return plain data, and arrays on its first level: {error}."
            " All evaluations completed before are safe; mend it, then resume"
        ) from error


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"got {value!r}")


def unpack_state(value: str, arrays: bytes | None, kind: TypeAdapter[Any]) -> dict[str, Any]:
    """The state that was packed, of a kind of `documents.STATES`.

    Raises:
        ValueError: it is none; whatever JSON and safetensors make of nonsense is raised too.
    """
    state = checked(json.loads(value), kind)
    for path, array in (load(arrays) if arrays else {}).items():
        name, _, key = path.partition("/")
        state["emitters"][name]["state"][key] = array
    return state


def counts_of(state: dict[str, Any] | None) -> dict[Status, int]:
    """Finished search evaluations, by an accepted log's state."""
    return {Status(int(value)): int(count) for value, count in (state or {"counts": {}})["counts"].items()}
