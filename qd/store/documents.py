"""What the JSON in a log's columns is: whoever reads it out of a log may take it for that.

Of genotypes the space's genes say what they may be (`Gene.accept`).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
)

from search_spaces import Task

from ..errors import shown

LATER = ConfigDict(defer_build=True)
"""Most commands need few of these, and to build all takes a while."""
Whole = Annotated[int, Field(ge=0, lt=1 << 53)]
Id = Annotated[int, Field(ge=1, lt=1 << 53)]
Size = Annotated[int, Field(ge=1, lt=1 << 31)]
Share = Annotated[tuple[str, Whole], BeforeValidator(lambda pair: tuple(pair) if isinstance(pair, list) else pair)]
"""A name, and how many rows are of it."""


class _Document(BaseModel):
    model_config = LATER


class _Archive(_Document):
    fixed: bool
    cells: Whole
    recorded: dict[str, Any]


def _task(data: dict[str, Any] | None) -> dict[str, Any] | None:
    if data is not None:
        Task.from_plain(data)  # refuses what is none
    return data


class _Contents(_Document):
    space: dict[str, Any]
    evaluator: dict[str, Any]


class _Process(_Document):
    pid: Whole = 0
    host: str = ""
    changed: dict[str, Any] = {}
    versions: dict[str, str] = {}
    in_process: bool = False
    suspects: dict[str, Any] = {}
    evaluating: Id | None = None
    failure: str = ""


class _Emitter(_Document):
    state: dict[str, Any]
    rng: dict[str, Any]


class _State(_Document):
    proposals: Whole
    evaluations_asked: Whole
    batches: Whole
    tells: Whole
    screened: Whole = 0
    row_of_duplicates: Whole
    seconds: Annotated[FiniteFloat, Field(ge=0, le=1e12)]
    trainings: Annotated[FiniteFloat, Field(ge=0, le=1e15)] | None = None
    """None in logs from before there was such a budget: then every evaluation was a full one."""
    gained: Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)] | None = None
    rng: dict[str, Any]
    emitters: dict[str, _Emitter]


class _Rungs(_Document):
    rng: dict[str, Any]
    kept: list[Id]


class _FullState(_State):
    promoted: list[Id]
    imported: Whole
    again: list[Id]
    rungs: _Rungs | None = None


class _AcceptedState(_State):
    counts: dict[str, Whole]
    outside: Whole


class _Curve(_Document):
    epochs: list[FiniteFloat]
    scores: dict[str, list[FiniteFloat | None]]


class _Batch(_Document):
    first: Id
    session: Id
    shares: list[Share]
    parents: list[list[Id]]
    operators: list[Share]
    genotypes: list[Any] | None


ANYTHING: TypeAdapter[Any] = TypeAdapter(Any, config=LATER)
META: dict[str, TypeAdapter[Any]] = {
    "archive": TypeAdapter(_Archive),
    "centroids": TypeAdapter(list[list[FiniteFloat]] | None, config=LATER),
    "chunk_as_given": TypeAdapter(str | None, config=LATER),
    "contents": TypeAdapter(_Contents | None, config=LATER),
    "digests": TypeAdapter(dict[str, str] | None, config=LATER),
    "ending": TypeAdapter(str | None, config=LATER),
    "genes": TypeAdapter(str, config=LATER),
    "places_as_given": TypeAdapter(dict[str, str], config=LATER),
    "plugin_folder": TypeAdapter(str | None, config=LATER),
    "task": TypeAdapter(Annotated[dict[str, Any] | None, AfterValidator(_task)], config=LATER),
    "verified": TypeAdapter(dict[str, Any], config=LATER),
    "version": TypeAdapter(str, config=LATER),
}
"""{name: what its value in `meta` is}; of others, anything. The run file has models of its own."""
PARENTS: TypeAdapter[list[int]] = TypeAdapter(list[Id], config=LATER)
BINS: TypeAdapter[list[int]] = TypeAdapter(list[Size], config=LATER)
CURVE: TypeAdapter[Any] = TypeAdapter(_Curve)
PENDING: TypeAdapter[Any] = TypeAdapter(_Batch)
PROCESS: TypeAdapter[Any] = TypeAdapter(_Process)
STATES: dict[str, TypeAdapter[Any]] = {"all": TypeAdapter(_FullState), "accepted": TypeAdapter(_AcceptedState)}
"""{what the log keeps: what its `state` is}."""


def checked(value: Any, kind: TypeAdapter[Any]) -> Any:
    """The same value, which was decoded from JSON.

    Raises:
        ValueError: it is of another kind.
    """
    try:
        kind.validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}{': ' if place else ''}{first['msg']}, got {shown(first['input'])}") from None
    return value
