"""The rooms of the project, what each imports from the others, and the floors on which they stand.

python scripts/layers.py                                  prints the floors, then every arrow with the files behind it
python scripts/layers.py --draw docs/images/floors.svg    draws the floors, as docs/architecture.md shows them

Everything is read from the source with `ast`; nothing is imported. An import inside a function counts like any other,
and so does a lazy public name of an `__init__.py`. Imports for type checkers alone count too, and are marked.
`tests/test_layers.py` states the floors and tests them.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("qd", "search_spaces", "evaluators")
FLOORS_FILE = ROOT / "tests" / "test_layers.py"
PICTURE = ROOT / "docs" / "images" / "floors.svg"


@dataclass(frozen=True)
class Arrow:
    """One import: a file, by its dotted name, and the file that it imports.

    Args:
        source: the file that imports.
        target: the file that is imported.
        line: where the import stands in the source.
        lazy: it stands inside a function, or is a public name that is imported when asked for.
        typing: it is for type checkers alone.
    """

    source: str
    target: str
    line: int
    lazy: bool = False
    typing: bool = False

    def __str__(self) -> str:
        marks = [name for name, holds in (("lazy", self.lazy), ("typing", self.typing)) if holds]
        return f"{self.source}:{self.line} imports {self.target}" + (f" ({', '.join(marks)})" if marks else "")


def read_modules(root: Path, packages: Sequence[str] = PACKAGES) -> dict[str, Path]:
    """The files of the packages below `root`, by dotted name; a package's name stands for its `__init__.py`."""
    modules = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def read_arrows(root: Path, packages: Sequence[str] = PACKAGES) -> list[Arrow]:
    """All imports between the files of the packages below `root`, in the order of files and lines."""
    modules = read_modules(root, packages)
    arrows: dict[tuple[str, str, bool, bool], Arrow] = {}
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        tree = ast.parse(path.read_bytes(), str(path))
        found = [*_imports(tree, package, lazy=False, typing=False)]
        if path.name == "__init__.py":
            found += _lazy_names(tree, package)
        for targets, line, lazy, typing in found:
            # `from a.b import c` means the file a/b/c.py where there is one, and else the name c in a/b.py
            target = next((target for target in targets if target in modules), None)
            if target is not None and target != name:
                arrows.setdefault((name, target, lazy, typing), Arrow(name, target, line, lazy, typing))
    return list(arrows.values())


def _imports(node: ast.AST, package: str, lazy: bool, typing: bool) -> Iterator[tuple[list[str], int, bool, bool]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield [alias.name], node.lineno, lazy, typing
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        for alias in node.names:
            yield [f"{base}.{alias.name}", base], node.lineno, lazy, typing
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for child in node.body:
            yield from _imports(child, package, lazy, True)
        for child in node.orelse:
            yield from _imports(child, package, lazy, typing)
    else:
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, package, inside, typing)


def _lazy_names(tree: ast.Module, package: str) -> Iterator[tuple[list[str], int, bool, bool]]:
    """Strings of an `__init__.py` with a `__getattr__` that name a file of the package: what it imports when asked."""
    if any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield [f"{package}.{node.value.lstrip('.').partition(':')[0]}"], node.lineno, True, False


def room_of(module: str, floors: Sequence[set[str]]) -> str:
    """The room in which a file lies, as the floors name it.

    That is the folder below the package, `qd/archives`, or the file itself where it lies there alone, `qd/errors`.
    A package's `__init__.py` and `base.py` are the package's own room, `search_spaces`; and what the floors do not name
    is in `search_spaces/*`, the room of all others, where they name that.
    """
    package, _, rest = module.partition(".")
    first = rest.partition(".")[0]
    if first in ("", "base"):
        return package
    known = set().union(*floors)
    name = f"{package}/{first}"
    return f"{package}/*" if name not in known and f"{package}/*" in known else name


def read_floors(path: Path = FLOORS_FILE) -> list[set[str]]:
    """The floors that the test states, from the ground up: its source is read, so that a picture needs no test."""
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "FLOORS" and node.value is not None:
            return ast.literal_eval(node.value)
    raise ValueError(f"{path}: expected `FLOORS: … = [{{…}}, …]`, found no such line")


def room_arrows(arrows: Iterable[Arrow], floors: Sequence[set[str]]) -> dict[tuple[str, str], list[Arrow]]:
    """{(room, room that it imports): the imports behind it}."""
    found: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in arrows:
        pair = room_of(arrow.source, floors), room_of(arrow.target, floors)
        if pair[0] != pair[1]:
            found.setdefault(pair, []).append(arrow)
    return dict(sorted(found.items()))


def upward(arrows: Iterable[Arrow], floors: Sequence[set[str]]) -> list[Arrow]:
    """The imports between rooms that do not go to a lower floor; also those of a room that is on no floor."""
    height = {room: floor for floor, rooms in enumerate(floors) for room in rooms}
    found = []
    for (source, target), behind in room_arrows(arrows, floors).items():
        if source not in height or target not in height or height[target] >= height[source]:
            found += behind
    return found


def circles(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of names that all lead to one another (strongly connected components of two and more), sorted."""
    graph = networkx.DiGraph(pairs)
    return sorted(sorted(group) for group in networkx.strongly_connected_components(graph) if len(group) > 1)


def reach(arrows: Iterable[Arrow], start: Iterable[str]) -> set[str]:
    """The files that importing and using those of `start` may import; imports for type checkers alone do not count."""
    graph = networkx.DiGraph((arrow.source, arrow.target) for arrow in arrows if not arrow.typing)
    return {found for name in start if name in graph for found in (name, *networkx.descendants(graph, name))}


def describe(arrows: Iterable[Arrow], floors: Sequence[set[str]]) -> str:
    """The floors and the arrows between rooms as text: what a picture of them has to show."""
    lines = [f"floor {number}: {', '.join(sorted(rooms))}" for number, rooms in enumerate(floors)]
    targets: dict[str, list[str]] = {}
    for source, target in room_arrows(arrows, floors):
        targets.setdefault(source, []).append(target)
    return "\n".join([*lines, *(f"{source} -> {', '.join(found)}" for source, found in targets.items())])


def read_picture(path: Path) -> str:
    """The text of `describe` that a picture was drawn from."""
    found = ElementTree.parse(path).getroot().find(".//{http://purl.org/dc/elements/1.1/}description")
    return "" if found is None else found.text or ""


COLOURS = {
    "qd": ("#d6e4f5", "#2f5d8c"),
    "search_spaces": ("#dcefd9", "#3f7d36"),
    "evaluators": ("#fbe6cc", "#a8651a"),
}
"""{package: colour of its boxes, and of their edges and arrows}."""
ROOM_WIDTH, ROOM_HEIGHT, FLOOR_HEIGHT = 1.62, 0.42, 1.0  # inches


def draw(arrows: Iterable[Arrow], floors: Sequence[set[str]], path: Path) -> None:
    """Draw the floors from the ground up, and the arrows that do not follow from others (a → b → c implies a → c).

    An arrow that does not go down is red.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

    arrows = list(arrows)
    height = {room: floor for floor, rooms in enumerate(floors) for room in rooms}
    pairs = [
        (source, target) for source, target in room_arrows(arrows, floors) if source in height and target in height
    ]
    downward = networkx.DiGraph((source, target) for source, target in pairs if height[source] > height[target])
    downward.add_nodes_from(sorted(height))
    shown = networkx.transitive_reduction(downward)
    rows = _arrange(shown, floors)
    width = max(len(row) for row in rows) * (ROOM_WIDTH + 0.3) + 0.5
    place = {
        room: ((width - 0.5) * (column + 0.5) / len(row) + 0.5, (floor + 0.5) * FLOOR_HEIGHT)
        for floor, row in enumerate(rows)
        for column, room in enumerate(row)
    }
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "floors", "font.family": "sans-serif", "font.size": 9}
    with matplotlib.rc_context(style):
        figure = pyplot.figure(figsize=(width + 0.1, len(rows) * FLOOR_HEIGHT + 0.1))
        top = len(rows) * FLOOR_HEIGHT
        axes = figure.add_axes((0, 0, 1, 1), xlim=(-0.05, width + 0.05), ylim=(-0.05, top + 0.05))
        axes.set_axis_off()
        for floor in range(len(rows)):
            shade = "#f6f6f4" if floor % 2 else "#ededea"
            axes.add_patch(Rectangle((0, floor * FLOOR_HEIGHT), width, FLOOR_HEIGHT, color=shade, lw=0, zorder=0))
            axes.text(0.22, (floor + 0.5) * FLOOR_HEIGHT, str(floor), color="#8a8a85", ha="center", va="center")
        others = [pair for pair in pairs if not downward.has_edge(*pair)]
        for source, target in [*shown.edges, *others]:
            (x0, y0), (x1, y1) = place[source], place[target]
            axes.add_patch(
                FancyArrowPatch(
                    (x0, y0 - ROOM_HEIGHT / 2),
                    (x1, y1 + ROOM_HEIGHT / 2),
                    arrowstyle="-|>,head_width=2.2,head_length=4",
                    color="#c0392b" if (source, target) in others else _colours(source)[1],
                    lw=0.8,
                    alpha=0.55,
                    zorder=1,
                    shrinkA=0,
                    shrinkB=1,
                )
            )
        for room, (x, y) in place.items():
            fill, edge = _colours(room)
            corner = (x - ROOM_WIDTH / 2, y - ROOM_HEIGHT / 2)
            style_of_box = "round,pad=0,rounding_size=0.09"
            box = FancyBboxPatch(corner, ROOM_WIDTH, ROOM_HEIGHT, style_of_box, fc=fill, ec=edge, lw=0.9, zorder=2)
            axes.add_patch(box)
            axes.text(x, y, room, ha="center", va="center", color="#222222", zorder=3)
        figure.savefig(path, metadata={"Date": None, "Creator": None, "Description": describe(arrows, floors)})
        pyplot.close(figure)


def _colours(room: str) -> tuple[str, str]:
    return COLOURS.get(room.partition("/")[0], ("#ffffff", "#444444"))


def _arrange(graph: Any, floors: Sequence[set[str]]) -> list[list[str]]:
    """Order the rooms of each floor so that arrows are short and cross little (by the mean place of neighbours)."""
    rows = [sorted(floor) for floor in floors]
    for _ in range(30):
        for order in (rows, rows[::-1]):
            for row in order:
                place = {room: (index + 0.5) / len(other) for other in rows for index, room in enumerate(other)}
                row.sort(key=lambda room: _mean([place[one] for one in networkx.all_neighbors(graph, room)]))
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.5


def main() -> None:
    """Print the floors and arrows, or draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", type=Path, metavar="FILE", help="write a picture (SVG) instead of printing")
    options = parser.parse_args()
    arrows, floors = read_arrows(ROOT), read_floors()
    if options.draw:
        draw(arrows, floors, options.draw)
        return
    for number, rooms in reversed(list(enumerate(floors))):
        print(f"floor {number}: {', '.join(sorted(rooms))}")
    for (source, target), behind in room_arrows(arrows, floors).items():
        print(f"\n{source} -> {target}")
        print("\n".join(f"    {arrow}" for arrow in behind))
    for arrow in upward(arrows, floors):
        print(f"not downwards: {arrow}")
    for circle in circles((arrow.source, arrow.target) for arrow in arrows):
        print(f"circle of files: {', '.join(circle)}")


if __name__ == "__main__":
    main()
