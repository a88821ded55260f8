"""What a run file may say: strict models, one for each section."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import to_jsonable_python


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
    """A grid is cut finer after this many finished evaluations: into `bins` along every measure, or along each."""

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

    Of the rest, an accepted log keeps counts, and the archive's figures every few tells.
    """

    keep: Literal["all", "accepted"] = "all"
    every: Annotated[int, Field(ge=1)] = 10


class ExecutorConfig(Component):
    """Where candidates are evaluated."""

    kind: str = "inline"


class SearchConfig(Model):
    """How proposals are made and results are reported.

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


class RunFile(Model):
    """All that defines a run."""

    space: Component
    evaluator: Component
    archive: ArchiveConfig
    emitters: Annotated[list[EmitterConfig], Field(min_length=1)] = [EmitterConfig(kind="map_elites")]
    executor: ExecutorConfig = ExecutorConfig()
    search: SearchConfig = SearchConfig()
    log: LogConfig = LogConfig()
    metrics: list[Component] = []
    """Measured of every network, beside what the evaluator measures by itself."""
    imported: list[Any] = []
    """Genotypes that are proposed first."""
    budget: BudgetConfig

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, value: Any) -> Any:
        if isinstance(value, dict) and "latency" in value:
            if value["latency"] is None:
                raise ValueError("latency: is one of the metrics now; leave this key out")
            given = value["latency"] if isinstance(value["latency"], dict) else {}
            arguments = "".join(f", {key}: {item}" for key, item in given.items())
            raise ValueError(f"latency: is one of the metrics now; write metrics: [{{kind: latency{arguments}}}]")
        return value

    @field_validator("metrics", mode="before")
    @classmethod
    def _by_kind(cls, value: Any) -> Any:
        return [{"kind": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value

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
