"""What a run file may say: strict models, one for each section."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import to_jsonable_python

from .earlier_evaluators import refuse

LARGEST = 1e300
"""What lies further from 0 is told as no number: sums and differences of such values are more than a float can hold."""
SMALLEST = 1e-280
"""The least range of an axis: what is narrower cannot be drawn."""
CHUNK = 8
MOST_IN_A_CHUNK = 100_000

Name = Annotated[str, Field(max_length=200)]
"""Of a kind or a metric."""


class Model(BaseModel):
    """Strict, frozen, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class Component(BaseModel):
    """Something found by name or dotted path; the keys beside `kind` are its constructor's arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True)

    kind: Name

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

    metric: Name
    low: float | None = None
    high: float | None = None


class AxisConfig(Model):
    """A measure: a metric cut into bins. Where `categories` are given, each has a bin, and the rest follows."""

    metric: Name
    low: float
    high: float
    bins: Annotated[int, Field(ge=1, le=1_000_000)] = 20
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
        if max(-self.low, self.high) > LARGEST:
            raise ValueError(f"low and high lie within ±{LARGEST:g}, got low={self.low:g} and high={self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a logarithmic axis starts above 0, got low={self.low:g}")
        if self.high - self.low < SMALLEST:
            raise ValueError(
                f"low and high lie {SMALLEST:g} apart at least, got low={self.low:g} and high={self.high:g}"
            )
        return self


class ArchiveConfig(Component):
    """The map: an objective, and the measures that span it. Other keys are the kind's own."""

    kind: Name = "grid"
    objective: ObjectiveConfig
    measures: Annotated[list[AxisConfig], Field(min_length=1)]
    outside: Literal["drop", "clip"] = "drop"

    @field_validator("objective", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _named_once(self) -> ArchiveConfig:
        names = [axis.metric for axis in self.measures]
        if len(set(names)) < len(names):
            raise ValueError(f"each measure is named once, got {', '.join(names)}")
        return self


class LogConfig(Model):
    """What the log keeps: `all` that was proposed, or what was `accepted` by an archive, for cheap evaluations.

    Of the rest, an accepted log keeps counts, and the archive's figures every few tells.
    """

    keep: Literal["all", "accepted"] = "all"
    every: Annotated[int, Field(ge=1)] = 10


class ExecutorConfig(Component):
    """Where candidates are evaluated."""

    kind: Name = "inline"


class RungsConfig(Model):
    """Shares of the full budget that candidates are evaluated with one after the other, and who goes up a rung.

    `fidelities` rise and end at 1. Of a rung's results one for every η is promoted, where η is the ratio of the next
    fidelity to the rung's own; `promote` says which. With `continue`, a promoted network is trained on.
    """

    fidelities: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2)]
    promote: Literal["cell", "drawn", "best", "front"] = "cell"
    continued: bool = Field(default=True, alias="continue")

    @field_validator("fidelities", mode="before")
    @classmethod
    def _fractions(cls, value: Any) -> Any:
        return [_fraction(one) if isinstance(one, str) else one for one in value] if isinstance(value, list) else value

    @field_validator("fidelities")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if any(low >= high for low, high in pairwise(value)) or value[-1] != 1:
            raise ValueError(f"expected fidelities that rise and end at 1, such as [1/9, 1/3, 1], got {value}")
        return value


def _fraction(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"expected a number or a fraction such as 1/9, got {text[:20]!r}") from None


class SearchConfig(Model):
    """How proposals are made and results are reported.

    `chunk` candidates are sent and evaluated together (`auto`: as many as the evaluator takes best; a run records the
    number); at most `window` are under way. `screen`: what is known to fall
    outside the map is not evaluated. A share `inherit` of those that have a parent start from its weights.
    """

    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    order: Literal["arrival", "id"] = "arrival"
    chunk: int | Literal["auto"] = CHUNK
    window: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    noise: Literal["none", "reevaluate"] = "none"
    screen: bool = True
    rungs: RungsConfig | None = None
    inherit: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("chunk", mode="plain")
    @classmethod
    def _number_or_auto(cls, value: Any) -> int | Literal["auto"]:
        if value == "auto" or (type(value) is int and 1 <= value <= MOST_IN_A_CHUNK):
            return value
        raise ValueError(f"expected auto, or a whole number from 1 to {MOST_IN_A_CHUNK:,}, got {str(value)[:20]!r}")

    @field_validator("inherit", mode="before")
    @classmethod
    def _all_or_none(cls, value: Any) -> Any:
        return float(value) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _holds_a_chunk(self) -> SearchConfig:
        if self.window is not None and self.chunk != "auto" and self.window < self.chunk:
            raise ValueError(f"window must hold a chunk of {self.chunk}, got {self.window}")
        return self

    @property
    def chunk_size(self) -> int:
        """`chunk` of a run, which is a number, whatever its run file said."""
        assert self.chunk != "auto"
        return self.chunk


class PatienceConfig(Model):
    """The search ends when the QD score has not gained this share of itself over so many evaluations."""

    evaluations: Annotated[int, Field(ge=1)]
    gain: Annotated[float, Field(gt=0, le=1)] = 0.01


class BudgetConfig(Model):
    """When the search ends: at whichever comes first.

    `trainings` counts full budgets: an evaluation at fidelity 1/9 costs 1/9, one that goes on costs the difference.
    """

    evaluations: Annotated[int, Field(ge=1)] | None = None
    trainings: Annotated[float, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    patience: PatienceConfig | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> BudgetConfig:
        if self.evaluations is None and self.trainings is None and self.seconds is None:
            raise ValueError("give evaluations, trainings or seconds, or several of them")
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
        if isinstance(value, dict):
            refuse(value.get("evaluator"))
        return value

    @field_validator("executor", "metrics", mode="before")
    @classmethod
    def _by_kind(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [{"kind": one} if isinstance(one, str) else one for one in value]
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("log", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"keep": value} if isinstance(value, str) else value

    def dump(self) -> dict[str, Any]:
        """Plain data that `check` accepts again."""
        data = to_jsonable_python(self.model_dump(by_alias=True), inf_nan_mode="constants")
        for axis in data["archive"]["measures"]:
            if axis["categories"] is None:
                del axis["categories"]
        return data
