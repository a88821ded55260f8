"""The run file: strict models, YAML, dotted overrides. Everything is checked before anything is created."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import to_jsonable_python

from ..errors import UsageError

SHORT_FORMS = {"objective": "metric", "log": "keep"}
"""Keys that may be written as one word, and the key that the word then stands for."""


class Model(BaseModel):
    """Strict, frozen, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Component(BaseModel):
    """Something found by name or dotted path; the keys beside `kind` are its constructor's arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    kind: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The keys that belong to the component itself."""
        return dict(self.model_extra or {})


class EmitterConfig(Component):
    """An emitter and its share of the proposals."""

    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class ObjectiveConfig(Model):
    """The metric that the archive maximises (or minimises, as the metric's direction says).

    `low` and `high` narrow or replace the metric's own range, which the normalised QD score needs finite.
    """

    metric: str
    low: float | None = None
    high: float | None = None


class AxisConfig(Model):
    """A measure: a metric cut into bins. Where `categories` are given, each has a bin, and the rest follows."""

    metric: str
    low: float
    high: float
    bins: Annotated[int, Field(ge=1)] = 20
    scale: Literal["linear", "log"] = "linear"
    categories: Annotated[list[float], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_categories(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("categories"), list):
            return value
        size = len(value["categories"])
        return {"low": -0.5, "high": size - 0.5, "bins": max(1, size), **value}

    @model_validator(mode="after")
    def _range(self) -> AxisConfig:
        if self.categories is not None:
            if len(set(self.categories)) < len(self.categories):
                raise ValueError(f"each category is given once, got {self.categories}")
            size = len(self.categories)
            if (self.low, self.high, self.bins, self.scale) != (-0.5, size - 0.5, size, "linear"):
                raise ValueError("categories have a bin each; leave out low, high, bins and scale")
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low={self.low:g} and high={self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a logarithmic axis starts above 0, got low={self.low:g}")
        return self


class RefineConfig(Model):
    """A grid is cut finer after so many finished evaluations: into `bins` along every measure, or along each."""

    evaluations: Annotated[int, Field(ge=1)]
    bins: Annotated[int, Field(ge=1)] | list[Annotated[int, Field(ge=1)]]


MOST_CELLS = 10_000_000
KEYS_OF_KINDS: dict[str, tuple[str, ...]] = {
    "grid": ("refine",),
    "categorical": (),
    "cvt": ("cells", "samples", "centroid_seed"),
    "unstructured": ("novelty", "neighbours"),
}
"""Keys of an archive that only some kinds have."""


class ArchiveConfig(Model):
    """The map: an objective, and the measures that span it."""

    kind: Literal["grid", "cvt", "categorical", "unstructured"] = "grid"
    objective: ObjectiveConfig
    measures: Annotated[list[AxisConfig], Field(min_length=1)]
    outside: Literal["drop", "clip"] = "drop"
    refine: list[RefineConfig] = []
    cells: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    samples: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    centroid_seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    novelty: Annotated[float, Field(gt=0)] | None = None
    neighbours: Annotated[int, Field(ge=1)] = 1

    @field_validator("objective", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> ArchiveConfig:
        names = [axis.metric for axis in self.measures]
        if len(set(names)) < len(names):
            raise ValueError(f"each measure is named once, got {', '.join(names)}")
        for kind, keys in KEYS_OF_KINDS.items():
            for key in keys:
                if kind != self.kind and getattr(self, key) != type(self).model_fields[key].get_default():
                    raise ValueError(f"{key} belongs to kind: {kind}, and this archive is of kind: {self.kind}")
        if self.kind in ("grid", "categorical"):
            self._check_bins()
        elif any(axis.categories for axis in self.measures):
            raise ValueError(f"categories need kind: grid or categorical, got {self.kind}")
        if self.kind == "categorical" and not all(axis.categories for axis in self.measures):
            raise ValueError("every measure of a categorical archive needs categories, e.g. [1, 2, 4]")
        if self.kind == "cvt":
            if self.cells is None:
                raise ValueError("cells is missing; a cvt archive needs their number")
            if self.cells > self.samples:
                raise ValueError(f"a cvt needs at least as many samples as cells, got {self.samples} and {self.cells}")
        if self.kind == "unstructured" and self.novelty is None:
            raise ValueError("novelty is missing: how far from the others founds a cell, as a share of the axes")
        return self

    def bins_of(self, step: RefineConfig) -> tuple[int, ...]:
        """Bins of each measure after a refinement; categories are never cut."""
        given = step.bins if isinstance(step.bins, list) else [step.bins] * len(self.measures)
        pairs = zip(given, self.measures, strict=True)
        return tuple(axis.bins if axis.categories and isinstance(step.bins, int) else bins for bins, axis in pairs)

    def _check_bins(self) -> None:
        before, time = tuple(axis.bins for axis in self.measures), 0
        _check_cells(before)
        for step in self.refine:
            if isinstance(step.bins, list) and len(step.bins) != len(before):
                raise ValueError(f"refine: expected {len(before)} bins, one for each measure, got {step.bins}")
            bins = self.bins_of(step)
            _check_cells(bins)
            if step.evaluations <= time:
                raise ValueError(f"refine: evaluations must rise, got {step.evaluations} after {time}")
            if bins == before or any(new % old for new, old in zip(bins, before, strict=True)):
                raise ValueError(
                    f"refine: bins must be multiples of those before, so that no elite is lost, got {list(bins)} after"
                    f" {list(before)}"
                )
            for axis, new in zip(self.measures, bins, strict=True):
                if axis.categories and new != axis.bins:
                    raise ValueError(f"refine: the categories of {axis.metric} cannot be cut")
            before, time = bins, step.evaluations


def _check_cells(bins: tuple[int, ...]) -> None:
    cells = math.prod(bins)
    if cells > MOST_CELLS:
        raise ValueError(f"at most {MOST_CELLS:,} cells, got {cells:,}: use fewer bins")


class LogConfig(Model):
    """What the log keeps: `all` that was proposed, or what was `accepted` by an archive, for cheap evaluations.

    Of the rest, an accepted log keeps counts, and the archive's figures every so many tells.
    """

    keep: Literal["all", "accepted"] = "all"
    every: Annotated[int, Field(ge=1)] = 10


class ExecutorConfig(Component):
    """Where candidates are evaluated."""

    kind: str = "inline"


class SearchConfig(Model):
    """How proposals are made and answers are told.

    `chunk` candidates are sent and evaluated together; at most `window` are under way.
    """

    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    order: Literal["arrival", "id"] = "arrival"
    chunk: Annotated[int, Field(ge=1, le=100_000)] = 8
    window: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    noise: Literal["none", "reevaluate"] = "none"

    @model_validator(mode="after")
    def _holds_a_chunk(self) -> SearchConfig:
        if self.window is not None and self.window < self.chunk:
            raise ValueError(f"window must hold a chunk of {self.chunk}, got {self.window}")
        return self


class BudgetConfig(Model):
    """When the search ends: at whichever comes first."""

    evaluations: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> BudgetConfig:
        if self.evaluations is None and self.seconds is None:
            raise ValueError("give evaluations, seconds or both")
        return self


class LatencyConfig(Model):
    """Times every network: the median of `repeats` batches, after `warm_up` of them."""

    device: str = "cpu"
    batch: Annotated[int, Field(ge=1)] = 1
    threads: Annotated[int, Field(ge=1)] = 1
    warm_up: Annotated[int, Field(ge=0)] = 5
    repeats: Annotated[int, Field(ge=1)] = 30


class RunFile(Model):
    """All that defines a run."""

    space: Component
    evaluator: Component
    archive: ArchiveConfig
    emitters: Annotated[list[EmitterConfig], Field(min_length=1)] = [EmitterConfig(kind="map_elites")]
    executor: ExecutorConfig = ExecutorConfig()
    search: SearchConfig = SearchConfig()
    log: LogConfig = LogConfig()
    latency: LatencyConfig | None = None
    imported: list[Any] = []
    """Genotypes that are proposed first."""
    budget: BudgetConfig

    @field_validator("log", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"keep": value} if isinstance(value, str) else value

    def dump(self) -> dict[str, Any]:
        """Plain data that `check` accepts again."""
        data = to_jsonable_python(self.model_dump(), inf_nan_mode="constants")
        for kind, keys in KEYS_OF_KINDS.items():
            for key in keys if kind != self.archive.kind else ():
                del data["archive"][key]
        for axis in data["archive"]["measures"]:
            if axis["categories"] is None:
                del axis["categories"]
        return data


def load(path: Path, overrides: Mapping[str, Any] | Sequence[str] = ()) -> RunFile:
    """Read a run file and lay the overrides over it.

    Args:
        path: a YAML file.
        overrides: "archive.measures[0].bins=10" strings, or a mapping of keys (dotted or nested) to values.

    Raises:
        UsageError: naming file, key, what was expected and, for a misspelt key, the near miss.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UsageError(f"{path}: {reason}; expected a run file in YAML, e.g. scripts/runs/fashion_moe.yaml") from None
    return check(override(parse(text, str(path)), overrides, str(path)), str(path))


def parse(text: str, name: str) -> dict[str, Any]:
    """Parse the YAML of a run file.

    Raises:
        UsageError: it is not YAML, a key stands twice, or it is not a mapping.
    """
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{name}: expected keys such as space, evaluator, archive and budget, got {data!r}")
    return data


def override(data: dict[str, Any], overrides: Mapping[str, Any] | Sequence[str], name: str) -> dict[str, Any]:
    """Return a copy of `data` with every override put in its place; lists are indexed as `measures[0]` or `measures.0`.

    Raises:
        UsageError: an override is not key=value, or an index is out of range.
    """
    pairs = list(overrides.items()) if isinstance(overrides, Mapping) else [_pair(item) for item in overrides]
    result = _copy(data)
    for key, value in pairs:
        _put(result, key, value, name)
    return result


def check(data: dict[str, Any], name: str) -> RunFile:
    """Validate plain data as a run file.

    Raises:
        UsageError: one line for every offending key.
    """
    try:
        return RunFile.model_validate(data)
    except ValidationError as error:
        lines = dict.fromkeys(_explain(item, data) for item in error.errors())
        raise UsageError("\n".join(f"{name}: {line}" for line in lines)) from None


def suggest(word: str, known: Sequence[str]) -> str:
    """'; did you mean 'x'?' where a known name is near, else the list of known names."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"


def dotted(location: Sequence[str | int]) -> str:
    """('archive', 'measures', 0, 'low') → "archive.measures[0].low"."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Loader(yaml.SafeLoader):
    """Safe YAML in which 1e-3 is a number and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _pair(item: str) -> tuple[str, Any]:
    key, equals, text = item.partition("=")
    if not equals or not key:
        raise UsageError(f"{item!r}: expected key=value, e.g. budget.evaluations=100")
    try:
        return key, yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"{item!r}: the value is not valid YAML: {error}") from None


def _put(data: dict[str, Any], key: str, value: Any, name: str) -> None:
    parts = [part for part in re.split(r"[.\[\]]+", key) if part]
    if not parts:
        raise UsageError(f"{name}: {key!r} names no key; write e.g. budget.evaluations=100")
    here: Any = data
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(here, list):
            if not part.isdigit() or int(part) >= len(here):
                raise UsageError(f"{name}: {key}: expected an index below {len(here)}, got {part!r}")
            index: Any = int(part)
        elif isinstance(here, dict):
            index = part
            if part in SHORT_FORMS and isinstance(here.get(part), str) and (not last or isinstance(value, Mapping)):
                here[part] = {SHORT_FORMS[part]: here[part]}  # of which `archive.objective.low=0` is a part
            elif not last and not isinstance(here.get(part), (dict, list)):
                here[part] = {}
        else:
            raise UsageError(f"{name}: {key}: there is nothing below {'.'.join(parts[:depth])}, which is {here!r}")
        old = here[index] if isinstance(here, list) else here.get(index)
        if not last:
            here = old
        elif isinstance(value, Mapping) and isinstance(old, dict):
            for inner, item in value.items():
                _put(old, str(inner), item, name)
        else:
            here[index] = value


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(item) for key, item in data.items()}
    return [_copy(item) for item in data] if isinstance(data, list) else data


def _explain(item: Any, data: dict[str, Any]) -> str:
    location, kind, message = item["loc"], item["type"], item["msg"]
    key = dotted(location)
    if kind == "extra_forbidden":
        return f"{key}: unknown key{suggest(str(location[-1]), _fields_at(location[:-1]))}"
    if kind == "missing":
        unknown = _mapping_at(data, location[:-1]).keys() - set(_fields_at(location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), sorted(map(str, unknown)), n=1)
        return f"{key}: this key is missing" + (f" (is {near[0]!r} a misspelling of it?)" if near else "")
    if kind == "model_type":
        return f"{key}: expected keys ({', '.join(_fields_at(location))}), got {item['input']!r}"
    if kind == "value_error":
        return f"{key}: {message.removeprefix('Value error, ')}" if key else message.removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, got {item['input']!r}"


def _fields_at(location: Sequence[str | int]) -> list[str]:
    model: Any = RunFile
    for part in location:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            annotation = model.model_fields[part].annotation if part in model.model_fields else None
            inner = getattr(annotation, "__args__", None)
            model = inner[0] if inner else annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _mapping_at(data: Any, location: Sequence[str | int]) -> dict[str, Any]:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return data if isinstance(data, dict) else {}
