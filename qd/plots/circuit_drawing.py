"""Draws a circuit (see `qd.exporting.circuit`): a box for each module, with its operations as lines, top to bottom."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .architecture import svg_text

LINE, CHARACTER, MARGIN, GAP = 15.0, 6.65, 18.0, 26.0
"""Height of a line, width of a character, and what is left free: around, and between boxes. Pixels."""
LANE = 9.0
"""Between links that pass boxes by."""
LONGEST = 84
"""Characters of an operation, beyond which it goes on in the next line."""
AGAIN = re.compile(r"@(\d+)")
SHORT = 4
"""Lines of a module that is always written out."""
AXIS = re.compile(r"[A-Z]\w*'* ")
"""The name of an axis, before its size."""
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
FILLS = {"": "#f4f4f4", "stem": "#dfe7ee", "head": "#dfe7ee"}
LAYERS = ("#bcd9ee", "#c5e6d9", "#fbe0b5", "#e3d3e8", "#f5d5cb", "#e6e6c3", "#d3ecf5")
"""Fills of the headings of boxes: one for each class of module."""


@dataclass
class Box:
    """A module, or what is computed between two: lines of (path within it, operation, over, what comes out)."""

    path: str
    title: str
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    """What kinds of torch's they are, in order."""
    computed: list[Mapping[str, Any]] = field(default_factory=list)
    """Operations as the circuit has them."""
    gives: set[str] = field(default_factory=set)
    takes: set[str] = field(default_factory=set)
    y: float = 0.0

    @property
    def height(self) -> float:
        return LINE * (len(self.lines) + 1.9)


def drawing(data: Mapping[str, Any], title: str) -> str:
    """The SVG of a circuit.

    Args:
        data: as `qd.exporting.circuit.circuit` gives it.
        title: above.
    """
    boxes = boxes_of(data)
    _fold(boxes, _Told(data))
    columns = [max((len(line[column]) for box in boxes for line in box.lines), default=0) for column in range(4)]
    starts = [0.0]
    for length in columns:
        starts.append(starts[-1] + (length * CHARACTER + 14 if length else 0))
    links = links_of(data, boxes)
    passing = [one for one in links if one[1] - one[0] > 1]
    lanes = _lanes(passing)
    left = MARGIN + LANE * (max(lanes.values(), default=-1) + 1) + (12 if lanes else 0)
    inner = max(starts[-1] + 12, 420.0, *(len(box.title) * 7.4 + 24 for box in boxes))
    width = left + inner + MARGIN
    head = [*_legend(data, int((width - 2 * MARGIN) / CHARACTER))]
    y = MARGIN + LINE * (len(head) + 1.6)
    for box in boxes:
        box.y = y
        y += box.height + GAP
    height = y - GAP + MARGIN
    kinds = dict.fromkeys(box.title.split(" ")[-1] for box in boxes if box.path.partition(".")[0] not in FILLS)
    fills = {kind: LAYERS[place % len(LAYERS)] for place, kind in enumerate(kinds)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" role="img" font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f"<title>{svg_text(title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b6770"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 4}" font-weight="bold">{svg_text(title)}</text>',
        *[_mono(MARGIN, MARGIN + LINE * (place + 1.5), line, "#444") for place, line in enumerate(head)],
    ]
    for box in boxes:
        fill = FILLS.get(box.path.partition(".")[0]) or fills[box.title.split(" ")[-1]]
        parts += _drawn(box, left, inner, starts, fill)
    middle = left + inner / 2
    for source, target, what in links:
        one, other = boxes[source], boxes[target]
        if target - source == 1:
            start, end = one.y + one.height, other.y
            parts.append(_path(f"M{middle:.1f} {start:.1f}L{middle:.1f} {end:.1f}", what))
            parts.append(_mono(middle + 8, (start + end) / 2 + 4, what, "#444"))
        else:
            lane = left - 12 - LANE * lanes[source, target]
            start, end = one.y + one.height - 8, other.y + 12
            parts.append(_path(f"M{left:.1f} {start:.1f}H{lane:.1f}V{end:.1f}H{left:.1f}", what))
    return "\n".join([*parts, "</svg>"])


def boxes_of(data: Mapping[str, Any]) -> list[Box]:
    """The boxes from top to bottom: the input, modules in the order in which they compute, the output."""
    modules, axes = data["modules"], data["axes"]
    told = _Told(data)
    given = data["input"]
    boxes = [Box("", "input", [("", given["name"], "", _shape(given["axes"], axes))], gives={given["name"]})]
    where: dict[str, int] = {given["name"]: 0}
    for one in data["operations"]:
        if "size" in one:  # of the batch: a number that lines name themselves
            continue
        path = _box_of(one["module"], modules)
        if boxes[-1].path != path or len(boxes) == 1:
            kind = modules[AGAIN.sub("", path)]
            title = AGAIN.sub(lambda found: f", call {int(found[1]) + 1},", path)
            boxes.append(Box(path, f"{title} {kind}" if path else kind))
        box = boxes[-1]
        box.takes |= {name for name in _names(one["arguments"]) if where.get(name) != len(boxes) - 1}
        box.gives.add(one["name"])
        box.operations.append(_kind(one))
        box.computed.append(one)
        where[one["name"]] = len(boxes) - 1
        if not told.is_inline(one):
            inside = one["module"].removeprefix(path).lstrip(".")
            over = f"over {', '.join(one['over'])}" if one["over"] else ""
            first, *others = textwrap.wrap(told.operation(one), LONGEST, subsequent_indent="    ") or [""]
            box.lines.append((inside, first, over, _gives(one, axes)))
            box.lines += [("", line, "", "") for line in others]
    last = data["output"]
    boxes.append(Box("", "output", [("", last, "", told.shape(last))], takes={last}))
    return boxes


def _fold(boxes: Sequence[Box], told: _Told) -> None:
    """Leave one line of a module that does what one above does: called again, or with weights of its own."""
    first: dict[str, Box] = {}
    for place, box in enumerate(boxes):
        if not box.path or len(box.lines) < SHORT:
            continue
        alike = first.setdefault(_what(box, told), box)
        if alike is box:
            continue
        needed = {name for other in boxes[place + 1 :] for name in other.takes} & box.gives
        given = [one["name"] for one in box.computed if one["name"] in needed]
        taken = list(dict.fromkeys(name for one in box.computed for name in _names(one["arguments"])))
        taken = [told.argument({"value": name}, "") for name in taken if name not in box.gives]
        own = "the same weights" if AGAIN.sub("", alike.path) == AGAIN.sub("", box.path) else "weights of its own"
        said = f"{', '.join(given)} = as in {alike.path}, with {own}, of {', '.join(taken)}"
        shapes = ", ".join(dict.fromkeys(map(told.shape, given)))
        first_line, *others = textwrap.wrap(said, LONGEST, subsequent_indent="    ")
        box.lines = [("", first_line, "", shapes), *(("", line, "", "") for line in others)]


def _what(box: Box, told: _Told) -> str:
    """What a module does, whatever its values and weights are called: equal for two that do the same."""
    path, numbers = AGAIN.sub("", box.path), {}

    def plain(value: Any) -> Any:
        match value:
            case list():
                return [plain(one) for one in value]
            case {"value": name}:
                return {"value": numbers.setdefault(name, len(numbers))}
            case {"parameter": name} | {"constant": name}:
                return {"weight": name.removeprefix(f"{path}."), "shape": told.weights[name]["shape"]}
        return value

    return json.dumps(
        [
            (
                one["operation"],
                AGAIN.sub("", one["module"]).removeprefix(path),
                {name: plain(argument) for name, argument in one["arguments"].items()},
                plain({"value": one["name"]}),
                AXIS.sub("", _gives(one, told.axes)),
            )
            for one in box.computed
        ]
    )


def _box_of(path: str, modules: Mapping[str, str]) -> str:
    """The outermost module that is no container: "layers.0" of "layers.0.norm"."""
    parts = path.split(".") if path else []
    for end in range(1, len(parts)):
        around = ".".join(parts[:end])
        if modules.get(AGAIN.sub("", around)) not in CONTAINERS:
            return around
    return path


class _Told:
    """Operations in words."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.axes, self.weights = data["axes"], data["parameters"] | data["constants"]
        self.made = {one["name"]: one for one in data["operations"]}
        used = Counter(name for one in data["operations"] for name in _weights(one["arguments"]))
        self.shared = {name for name, times in used.items() if times > 1}
        self.shared |= {name for one in data["parameters"].values() if (name := one.get("same_as"))}

    def is_inline(self, one: Mapping[str, Any]) -> bool:
        """Whether it is written where it is used: a part of several tensors, a size."""
        return "size" in one or one["operation"] == "getitem"

    def operation(self, one: Mapping[str, Any]) -> str:
        """Such as "linear_1 = linear(relu, weight [W, U1], bias [W])"."""
        words, path = [], AGAIN.sub("", one["module"])
        for name, value in one["arguments"].items():
            if name not in (*one["defaults"], "cudnn_enable"):
                said = self.argument(value, path)
                words.append(said if _names(value) or _weights(value) else f"{name}={said}")
        return f"{one['name']} = {_kind(one)}({', '.join(words)})"

    def argument(self, value: Any, path: str) -> str:
        match value:
            case {"value": name}:
                one = self.made.get(name)
                if one and one["operation"] == "getitem":
                    return f"{self.argument(one['arguments']['a'], path)}[{one['arguments']['b']}]"
                return str(one["size"]) if one and "size" in one else name
            case {"parameter": name} | {"constant": name}:
                axes = ", ".join(self.weights[name]["axes"] or map(str, self.weights[name]["shape"]))
                star = "*" if name in self.shared else ""
                return f"{name.removeprefix(f'{path}.') if path else name}{star} [{axes}]"
            case {"dtype": said} | {"number": said}:
                return str(said)
            case list():
                return f"[{', '.join(self.argument(one, path) for one in value)}]"
        return "end" if value == 2**63 - 1 else str(value)

    def shape(self, name: str) -> str:
        one = self.made.get(name)
        return _gives(one, self.axes) if one else ""


def _kind(one: Mapping[str, Any]) -> str:
    """The name of its operation: "linear" of "aten.linear.default"."""
    return one["operation"].split(".")[1] if "." in one["operation"] else one["operation"]


def _gives(one: Mapping[str, Any], axes: Mapping[str, Any]) -> str:
    several = one["axes"] and isinstance(one["axes"][0], list)
    dtype = "" if one.get("dtype", "float32") == "float32" else f" {one['dtype']}"
    if several:
        shapes = [_shape(each, axes) for each in one["axes"]]
        equal = len({*shapes}) == 1
        return (f"{len(shapes)} of {shapes[0]}" if equal else ", ".join(shapes)) + dtype
    return _shape(one["axes"], axes) + dtype


def _shape(names: Sequence[str], axes: Mapping[str, Any]) -> str:
    """Such as "(B, T 6, W 32)"; an axis that is there twice has a prime the second time."""
    seen: Counter[str] = Counter()
    said = []
    for name in names:
        size = axes.get(name, 1)
        said.append(name + "'" * seen[name] + (f" {size}" if name not in ("1", "B") else ""))
        seen[name] += name != "1"
    return f"({', '.join(said)})"


def _legend(data: Mapping[str, Any], most: int) -> Iterator[str]:
    trained = [one for one in data["parameters"].values() if one["kind"] == "parameter" and "same_as" not in one]
    total = 0
    for one in trained:
        size = 1
        for length in one["shape"]:
            size *= length
        total += size
    sizes = ", ".join(f"{name} {size}" for name, size in data["axes"].items() if name != "B")
    yield from textwrap.wrap(f"Axes: B examples of a batch, {sizes}", most, subsequent_indent="      ")
    yield f"{total:,} parameters, in [ ] their axes, * where used more than once. Weights are called path.name."
    yield "over: the axes that an operation runs over; it passes all others by."


def links_of(data: Mapping[str, Any], boxes: Sequence[Box]) -> list[tuple[int, int, str]]:
    """(box, box, what goes from one to the other)."""
    told, found = _Told(data), []
    for target, box in enumerate(boxes):
        for source in range(target):
            names = sorted(box.takes & boxes[source].gives)
            shapes = [told.shape(name) or _shape(data["input"]["axes"], data["axes"]) for name in names
                      if "size" not in told.made.get(name, {})]  # fmt: skip
            if shapes:
                found.append((source, target, ", ".join(dict.fromkeys(shapes))))
    return found


def _lanes(links: Sequence[tuple[int, int, str]]) -> dict[tuple[int, int], int]:
    """{(box, box): lane} so that links in one lane do not meet; short ones are nearest to the boxes."""
    found: dict[tuple[int, int], int] = {}
    for source, target, _ in sorted(links, key=lambda one: one[1] - one[0]):
        taken = {lane for (a, b), lane in found.items() if a < target and source < b}
        found[source, target] = next(lane for lane in range(len(links)) if lane not in taken)
    return found


def _drawn(box: Box, left: float, width: float, starts: Sequence[float], fill: str) -> Iterator[str]:
    frame = f'x="{left:.1f}" y="{box.y:.1f}" width="{width:.1f}" rx="4"'
    yield f'<rect {frame} height="{box.height:.1f}" fill="white" stroke="#5b6770"/>'
    yield f'<rect {frame} height="{LINE * 1.35:.1f}" fill="{fill}" stroke="#5b6770"/>'
    yield f'<text x="{left + 8:.1f}" y="{box.y + 14:.1f}" font-weight="bold">{svg_text(box.title)}</text>'
    before = ""
    for place, line in enumerate(box.lines):
        y = box.y + LINE * (place + 2.35)
        for column, (text, colour) in enumerate(zip(line, ("#7a8590", "#111", "#a85a00", "#0b5c8a"), strict=True)):
            if text and not (column == 0 and text == before):
                yield _mono(left + 8 + starts[column], y, text, colour)
        before = line[0] or before


def _mono(x: float, y: float, text: str, colour: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="monospace" font-size="11" fill="{colour}">{svg_text(text)}</text>'
    )


def _path(path: str, what: str) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="#5b6770" stroke-width="1.2" marker-end="url(#tip)">'
        f"<title>{svg_text(what)}</title></path>"
    )


def _names(value: Any) -> list[str]:
    """Names of what operations gave, in an argument."""
    return _found(value, ("value",))


def _weights(value: Any) -> list[str]:
    return _found(value, ("parameter", "constant"))


def _found(value: Any, keys: Sequence[str]) -> list[str]:
    if isinstance(value, list):
        return [name for one in value for name in _found(one, keys)]
    if isinstance(value, dict):
        here = [value[key] for key in keys if isinstance(value.get(key), str)]
        return here or [name for one in value.values() for name in _found(one, keys)]
    return []
