"""What a network is for: what goes in, what comes out, and the loss that follows."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Loss = Literal["cross_entropy", "mean_squared_error"]


@dataclass(frozen=True)
class _Sizes:
    """Whole numbers of at least 1, whatever integer type they came in."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            try:
                number = operator.index(value)
            except TypeError:
                raise ValueError(
                    f"{type(self).__name__}: expected a whole number as {field.name}, got {value!r}"
                ) from None
            if number < 1:
                raise ValueError(f"{type(self).__name__}: expected {field.name} of at least 1, got {number}")
            object.__setattr__(self, field.name, number)


@dataclass(frozen=True)
class Image(_Sizes):
    """Pixels, (B, channels, height, width) floats."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return (self.channels, self.height, self.width)


@dataclass(frozen=True)
class Series(_Sizes):
    """Values over time, (B, steps, channels) floats."""

    steps: int
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return (self.steps, self.channels)


@dataclass(frozen=True)
class Tokens(_Sizes):
    """Numbers of characters or words, (B, steps) int64 below `vocabulary`; 0 fills up what is too short."""

    steps: int
    vocabulary: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return (self.steps,)


@dataclass(frozen=True)
class Vector(_Sizes):
    """Numbers without an order, (B, features) floats."""

    features: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return (self.features,)


@dataclass(frozen=True)
class Classes(_Sizes):
    """One of `count` classes: a score for each out, targets (B,) int64."""

    count: int


@dataclass(frozen=True)
class Values(_Sizes):
    """`count` real numbers out, targets (B, count) floats."""

    count: int


@dataclass(frozen=True)
class NextToken(_Sizes):
    """For each position the token that follows: (B, steps, vocabulary) scores out, targets (B, steps) int64.

    The scores of a position may depend on no later token.
    """

    vocabulary: int


Input = Image | Series | Tokens | Vector
Output = Classes | Values | NextToken
INPUTS: dict[str, type[Input]] = {"image": Image, "series": Series, "tokens": Tokens, "vector": Vector}
OUTPUTS: dict[str, type[Output]] = {"classes": Classes, "values": Values, "next_token": NextToken}


@dataclass(frozen=True)
class Task:
    """What a network must take in and give out.

    Args:
        input: of one example.
        output: `NextToken` goes with `Tokens` of the same vocabulary alone.
    """

    input: Input
    output: Output

    def __post_init__(self) -> None:
        for name, value, kinds in (("input", self.input, INPUTS), ("output", self.output, OUTPUTS)):
            if type(value) not in kinds.values():
                expected = ", ".join(kind.__name__ for kind in kinds.values())
                raise ValueError(f"Task: expected one of {expected} as {name}, got {value!r}")
        if isinstance(self.output, NextToken) and (
            not isinstance(self.input, Tokens) or self.input.vocabulary != self.output.vocabulary
        ):
            raise ValueError(f"Task: NextToken needs Tokens of the same vocabulary as input, got {self.input}")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example, without the batch axis."""
        return self.input.shape

    @property
    def outputs(self) -> int:
        """Length of the last axis of what comes out."""
        return self.output.vocabulary if isinstance(self.output, NextToken) else self.output.count

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one example, without the batch axis."""
        return (*self.input_shape, self.outputs) if isinstance(self.output, NextToken) else (self.outputs,)

    @property
    def loss(self) -> Loss:
        """What training descends: "cross_entropy" of classes and tokens, "mean_squared_error" of values."""
        return "mean_squared_error" if isinstance(self.output, Values) else "cross_entropy"

    def plain(self) -> dict[str, Any]:
        """As JSON has it: {"input": {"kind": "image", ...}, "output": {...}}."""
        return {
            "input": {"kind": _kind(self.input, INPUTS), **asdict(self.input)},
            "output": {"kind": _kind(self.output, OUTPUTS), **asdict(self.output)},
        }

    @classmethod
    def from_plain(cls, data: Any) -> Task:
        """What `plain` gave, or what logs and exports of earlier versions have: input_shape, outputs and loss.

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"expected a task, got {data!r}")
        if "input_shape" in data:
            return _earlier(data)
        return cls(_read(data.get("input"), INPUTS, "input"), _read(data.get("output"), OUTPUTS, "output"))


def check_input(task: Task, who: str, *taken: type[Input]) -> None:
    """Refuse a task whose inputs are of another kind.

    Args:
        task: that is asked for.
        who: takes inputs, in the plural, for the message.
        *taken: the kinds that are taken.

    Raises:
        ValueError: says what is taken, and what came.
    """
    if not isinstance(task.input, taken):
        expected = " or ".join(kind.__name__.lower() for kind in taken)
        sizes = ", ".join(f"{name} {size}" for name, size in asdict(task.input).items())
        raise ValueError(
            f"{who} take inputs of kind {expected}, and the data gives {_kind(task.input, INPUTS)} ({sizes})"
        )


def _kind(value: Any, kinds: Mapping[str, type[Any]]) -> str:
    return next(name for name, kind in kinds.items() if type(value) is kind)


def _read(data: Any, kinds: Mapping[str, type[Any]], where: str) -> Any:
    if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str) or data["kind"] not in kinds:
        raise ValueError(f"{where}: expected a kind ({', '.join(kinds)}) and its sizes, got {data!r}")
    kind, sizes = kinds[data["kind"]], {name: value for name, value in data.items() if name != "kind"}
    wanted = [field.name for field in fields(kind)]
    if sorted(sizes) != sorted(wanted):
        raise ValueError(f"{where}: expected {', '.join(wanted)} beside kind, got {', '.join(map(str, sizes))}")
    return kind(**sizes)


def _earlier(data: Mapping[str, Any]) -> Task:
    shape, loss = data["input_shape"], data.get("loss")
    outputs: Any = data.get("outputs")
    kind = {1: Vector, 2: Series, 3: Image}.get(len(shape)) if isinstance(shape, list | tuple) else None
    if kind is None or loss not in ("cross_entropy", "mean_squared_error"):
        raise ValueError(f"expected input_shape of one to three sizes, outputs and a loss, got {dict(data)!r}")
    return Task(kind(*shape), Classes(outputs) if loss == "cross_entropy" else Values(outputs))
