"""Imports run one way: from a room to rooms on lower floors. `scripts/layers.py` reads and draws them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from scripts.layers import (
    PICTURE,
    ROOT,
    Arrow,
    circles,
    describe,
    draw,
    reach,
    read_arrows,
    read_floors,
    read_modules,
    read_picture,
    room_of,
    upward,
)

FLOORS: list[set[str]] = [  # from the ground up; `X/*` stands for whatever in X has no name of its own here
    {
        "qd/compiled",
        "qd/display",
        "qd/errors",
        "qd/environment",
        "qd/interrupts",
        "qd/module_graph",
        "qd/plugins",
        "qd/precision",
        "qd/wording",
        "search_spaces/flops",
        "search_spaces/kernels",
        "search_spaces/genes",
        "search_spaces/task",
    },
    {"qd/plain_data", "qd/strangers"},
    {"qd/candidates", "qd/config", "qd/registry", "search_spaces"},
    {"evaluators/preprocessing", "qd/archives", "qd/space_hooks", "qd/training", "search_spaces/shelf"},
    {"qd/metrics", "qd/surrogates", "search_spaces/library", "evaluators/task_data"},
    {"evaluators", "qd/emitters", "search_spaces/*"},
    {"evaluators/data", "qd/store"},
    {"evaluators/*", "qd/analysis", "qd/executors"},
    {"qd/plots", "qd/search"},
    {"qd/runs"},
    {"qd/exporting", "qd/inspecting", "qd/reporting", "qd/dashboard"},
    {"qd/starting", "qd/transfer"},
    {"qd", "qd/testing"},
    {"qd/cli"},
]

EXCEPTIONS: dict[tuple[str, str], str] = {  # file and file that it may import all the same: why
    (
        "qd.exporting.standalone",
        "qd",
    ): "it is copied into exports, which know the public name alone",
}

CONCRETE = {"search_spaces/*", "search_spaces/shelf", "evaluators/*", "evaluators/data"}
"""What the engine, `qd/`, knows by name alone."""

ENGINE_EXCEPTIONS: dict[tuple[str, str], str] = {
    ("qd.executors.ray.survey", "evaluators.data.places"): "which data sets a machine of a cluster has",
    ("qd.inspecting.baselines", "evaluators.data"): "what a data set is",
    ("qd.inspecting.facts", "evaluators.data"): "what a data set is",
    ("qd.inspecting.opening", "evaluators.data"): "what a data set is",
    ("qd.inspecting.sheet", "evaluators.data"): "what a data set is",
    ("qd.runs.doctor", "evaluators.data.places"): "which data sets this machine has",
    ("qd.testing.data", "evaluators.data"): "what a data set is",
    ("qd.testing.modules", "search_spaces.chain"): "where a module must work",
    ("qd.testing.modules", "search_spaces.shelf.base"): "what a module is",
    ("qd.testing.toys.modules", "search_spaces.shelf.base"): "a toy that is a module",
    ("qd.testing.toys.stripes", "evaluators.data"): "a toy that is a data set",
    ("qd.transfer.library", "evaluators.data.mnist"): "what one of those networks saw",
    ("qd.transfer.library", "evaluators.data.ccexam"): "trained networks of a package, for a library of modules",
    ("qd.transfer.library", "evaluators.task_stream.tasks"): "what those networks saw",
}

LOOKING = [f"qd.cli.{name}" for name in ("show", "elites", "map", "plot", "report", "serve")]
NOT_FOR_LOOKING = CONCRETE | {
    "evaluators",
    "qd/emitters",
    "qd/executors",
    "qd/exporting",
    "qd/runs",
    "qd/search",
    "qd/training",
    "qd/transfer",
    "search_spaces/library",
}
LOOKING_EXCEPTIONS: dict[tuple[str, str], str] = {}


def without(arrows: list[Arrow], *exceptions: dict[tuple[str, str], str]) -> list[Arrow]:
    allowed = {pair for each in exceptions for pair in each}
    return [arrow for arrow in arrows if (arrow.source, arrow.target) not in allowed]


def lines(found: list[Arrow]) -> str:
    return "\n".join(map(str, found))


@pytest.fixture(scope="module")
def arrows() -> list[Arrow]:
    return read_arrows(ROOT)


def test_every_room_stands_on_one_floor() -> None:
    named = [room for floor in FLOORS for room in floor]
    rooms = {room_of(module, FLOORS) for module in read_modules(ROOT)}
    assert sorted(named) == sorted(rooms)


def test_rooms_import_from_lower_floors_alone(arrows: list[Arrow]) -> None:
    assert lines(upward(without(arrows, EXCEPTIONS), FLOORS)) == ""


def test_no_files_import_one_another_in_a_circle(arrows: list[Arrow]) -> None:
    assert circles((arrow.source, arrow.target) for arrow in without(arrows, EXCEPTIONS)) == []


def concrete(arrows: list[Arrow]) -> list[Arrow]:
    """What the engine imports of spaces, modules, evaluators and data sets."""
    rooms = ((arrow, room_of(arrow.source, FLOORS), room_of(arrow.target, FLOORS)) for arrow in arrows)
    return [arrow for arrow, source, target in rooms if source.partition("/")[0] == "qd" and target in CONCRETE]


def test_the_engine_knows_spaces_and_evaluators_by_name_alone(arrows: list[Arrow]) -> None:
    assert lines(concrete(without(arrows, ENGINE_EXCEPTIONS))) == ""


def not_for_looking(arrows: list[Arrow]) -> list[Arrow]:
    """Imports by which commands that only look get at what they have no need of."""
    seen = reach(arrows, LOOKING)
    used = [arrow for arrow in arrows if arrow.source in seen and not arrow.typing]
    return [arrow for arrow in used if room_of(arrow.target, FLOORS) in NOT_FOR_LOOKING]


def test_looking_needs_nothing_that_searches_or_trains(arrows: list[Arrow]) -> None:
    assert lines(not_for_looking(without(arrows, EXCEPTIONS, LOOKING_EXCEPTIONS))) == ""


def test_every_exception_is_needed(arrows: list[Arrow]) -> None:
    """Each of them, brought back alone, breaks a rule."""
    rules = without(arrows, EXCEPTIONS)
    left = [
        pair
        for pair in EXCEPTIONS
        if not upward(back := [*rules, *(arrow for arrow in arrows if (arrow.source, arrow.target) == pair)], FLOORS)
        and not circles((arrow.source, arrow.target) for arrow in back)
    ]
    assert left == []
    assert {(arrow.source, arrow.target) for arrow in concrete(arrows)} == set(ENGINE_EXCEPTIONS)
    looked = not_for_looking(without(arrows, EXCEPTIONS))
    assert {(arrow.source, arrow.target) for arrow in looked} == set(LOOKING_EXCEPTIONS)


def test_the_picture_is_up_to_date(arrows: list[Arrow]) -> None:
    assert read_picture(PICTURE) == describe(arrows, FLOORS), (
        "python scripts/layers.py --draw docs/images/floors.svg draws it again"
    )


# --- the rules can fail ----------------------------------------------------------------------------------------------


def plan(folder: Path, files: dict[str, str]) -> list[Arrow]:
    """The imports of made-up files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content))
    return read_arrows(folder, ["house"])


HOUSE = {"house/__init__.py": "", "house/cellar/__init__.py": "", "house/attic/__init__.py": "", "house/errors.py": ""}
HOUSE_FLOORS = [{"house/errors", "house/cellar"}, {"house/attic"}, {"house"}]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("from ..attic import roof", "imports house.attic.roof"),
        ("from house.attic import roof", "imports house.attic.roof"),
        ("import house.attic.roof", "imports house.attic.roof"),
        ("from ..attic.roof import tile", "imports house.attic.roof"),
        ("from ..attic import tile", "imports house.attic"),
        ("def later():\n    from ..attic import roof", "imports house.attic.roof (lazy)"),
        ("if TYPE_CHECKING:\n    from ..attic import roof", "imports house.attic.roof (typing)"),
        ("from .. import errors", "imports house.errors"),  # a neighbour on the same floor
        ("from .. import name", "imports house"),
    ],
)
def test_an_arrow_that_goes_not_down_is_found(tmp_path: Path, statement: str, says: str) -> None:
    arrows = plan(tmp_path, HOUSE | {"house/attic/roof.py": "tile = 1", "house/cellar/coal.py": statement})
    [arrow] = upward(arrows, HOUSE_FLOORS)
    assert str(arrow) == f"house.cellar.coal:{statement.count(chr(10)) + 1} {says}"


def test_an_arrow_downwards_is_no_offence(tmp_path: Path) -> None:
    arrows = plan(tmp_path, HOUSE | {"house/attic/roof.py": "from ..cellar import coal", "house/cellar/coal.py": ""})
    assert [str(arrow) for arrow in arrows] == ["house.attic.roof:1 imports house.cellar.coal"]
    assert upward(arrows, HOUSE_FLOORS) == []


def test_a_room_on_no_floor_is_found(tmp_path: Path) -> None:
    arrows = plan(tmp_path, HOUSE | {"house/shed/tool.py": "from ..errors import Broken"})
    assert lines(upward(arrows, HOUSE_FLOORS)) == "house.shed.tool:1 imports house.errors"


def test_a_lazy_circle_is_found(tmp_path: Path) -> None:
    arrows = plan(
        tmp_path,
        {
            "house/a.py": "from . import b",
            "house/b.py": "def f():\n    from .c import d",
            "house/c.py": "from .a import e",
        },
    )
    assert circles((arrow.source, arrow.target) for arrow in arrows) == [["house.a", "house.b", "house.c"]]
    assert circles((arrow.source, arrow.target) for arrow in arrows if not arrow.lazy) == []


def test_a_lazy_public_name_counts(tmp_path: Path) -> None:
    front = (
        'HOMES = {"tile": ".attic.roof"}\n\n\ndef __getattr__(name):\n    return import_module(HOMES[name], __name__)'
    )
    arrows = plan(tmp_path, HOUSE | {"house/__init__.py": front, "house/attic/roof.py": "from house import door"})
    assert lines(arrows) == "house:1 imports house.attic.roof (lazy)\nhouse.attic.roof:1 imports house"


def test_what_a_file_reaches_leaves_out_imports_for_type_checkers() -> None:
    arrows = [Arrow("a", "b", 1), Arrow("b", "c", 1, lazy=True), Arrow("c", "d", 1, typing=True), Arrow("e", "f", 1)]
    assert reach(arrows, ["a"]) == {"a", "b", "c"}


def test_an_outdated_picture_is_found(tmp_path: Path) -> None:
    arrows = [Arrow("house.attic.roof", "house.cellar.coal", 1)]
    path = tmp_path / "floors.svg"
    draw(arrows, HOUSE_FLOORS, path)
    assert read_picture(path) == describe(arrows, HOUSE_FLOORS)
    assert read_picture(path) != describe([*arrows, Arrow("house.attic", "house.errors", 1)], HOUSE_FLOORS)
    assert read_picture(path) != describe(arrows, HOUSE_FLOORS[::-1])


def test_the_picture_is_drawn_from_the_floors_stated_here() -> None:
    assert read_floors() == FLOORS
