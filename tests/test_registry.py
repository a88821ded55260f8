"""How spaces and evaluators are found and built."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Literal, TypedDict, Unpack

import pytest
from pydantic import Field

import qd
from evaluators import Evaluator
from evaluators.supervised import Supervised
from qd.errors import UsageError
from qd.registry import Registry, source_digest
from search_spaces import SearchSpace
from search_spaces.sparse_moe import SparseMoE

GOOD = """
    from search_spaces import Integer, SearchSpace, Struct

    class Mine(SearchSpace):
        genes = Struct(x=Integer(0, 9))
"""


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Writes a module into the folder, and forgets at the end what was imported from there."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))
        return path

    before = list(sys.path)
    yield write
    sys.path[:] = before
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def find(kind: str, folder: Path | None = None) -> type[SearchSpace]:
    return Registry(folder).find("spaces", kind, "space")


def test_built_in_parts_are_found_by_name() -> None:
    assert find("sparse_moe") is SparseMoE
    assert Registry().find("evaluators", "supervised", "evaluator") is Supervised


@pytest.mark.parametrize(
    ("kind", "hint"), [("sparse_mo", "did you mean 'sparse_moe'?"), ("base", "known: "), ("xyz", "known: ")]
)
def test_an_unknown_name_is_answered_with_the_known_ones(kind: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"^space.kind: unknown SearchSpace '{kind}'; {re.escape(hint)}") as refusal:
        find(kind)
    assert "sparse_moe" in str(refusal.value)
    assert "my_file:MyClass" in str(refusal.value)
    assert "genes" not in str(refusal.value)  # a file of that room, but no space


def test_a_plugin_is_found_in_its_folder(write, tmp_path: Path) -> None:
    write("mine_found.py", GOOD)
    found = find("mine_found:Mine", tmp_path)
    assert issubclass(found, SearchSpace)
    assert found.__name__ == "Mine"
    assert find("mine_found:Mine", tmp_path) is found


def test_a_plugin_may_import_its_neighbours_and_lie_in_a_package(write, tmp_path: Path) -> None:
    write("package_of_mine/__init__.py", "WIDTH = 3\n")
    write("neighbour_of_mine.py", "HEIGHT = 4\n")
    write(
        "package_of_mine/spaces.py",
        GOOD
        + "    import neighbour_of_mine\n    from . import WIDTH\n    Mine.size = (WIDTH, neighbour_of_mine.HEIGHT)\n",
    )
    assert vars(find("package_of_mine.spaces:Mine", tmp_path))["size"] == (3, 4)


def test_a_plugin_may_be_imported_by_its_neighbour_first(write, tmp_path: Path) -> None:
    write("mine_second.py", GOOD)
    write("mine_first.py", "from mine_second import Mine\n\nclass Other(Mine): pass\n")
    other = find("mine_first:Other", tmp_path)
    assert issubclass(other, find("mine_second:Mine", tmp_path))


def test_a_plugin_is_looked_for_nowhere_else(write, tmp_path: Path) -> None:
    write("mine_elsewhere.py", GOOD)
    other = tmp_path / "other"
    other.mkdir()
    sys.path.append(str(tmp_path))
    with pytest.raises(UsageError, match=rf"expected the plug-in 'mine_elsewhere' at {other}/mine_elsewhere.py, found"):
        find("mine_elsewhere:Mine", other)
    with pytest.raises(UsageError, match="'mine_elsewhere:Mine' is a plug-in; say where it lies with `plugins`"):
        find("mine_elsewhere:Mine", None)


@pytest.mark.parametrize("kind", ["json:Mine", "search_spaces:SearchSpace"])
def test_an_installed_module_is_no_plugin(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found nothing there; put it beside the run file or name its folder"):
        find(kind, tmp_path)


def test_a_plugin_never_takes_the_name_of_another_module(write, tmp_path: Path) -> None:
    write("json.py", GOOD)
    with pytest.raises(UsageError, match=r"there is another module named 'json' \(.*\); give json\.py another name"):
        find("json:Mine", tmp_path)


@pytest.mark.parametrize("kind", [":Mine", "mine:", "mi ne:Mine", "../mine:Mine", "mine.py:Mine.x", "mine:Mine:More"])
def test_a_path_that_is_none_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^space.kind: expected my_file:MyClass, got '{re.escape(kind)}'$"):
        find(kind, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "kind", "message"),
    [
        ("mine_a.py", GOOD, "mine_a:Mien", "mine_a in .* has no class 'Mien'; did you mean 'Mine'\\?"),
        ("mine_b.py", "Mine = 3\n", "mine_b:Mine", "has no class 'Mine'; known: none"),
        ("mine_c.py", "class Mine: pass\n", "mine_c:Mine", "derive it from search_spaces.base.SearchSpace"),
        ("mine_d.py", "1 / 0\n", "mine_d:Mine", r"importing .*mine_d.py failed: ZeroDivisionError: division by zero"),
        ("mine_e.py", "def (:\n", "mine_e:Mine", r"importing .*mine_e.py failed: SyntaxError: "),
        ("mine_f.py", "import not_there\n", "mine_f:Mine", "failed: ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_a_broken_plugin_is_explained(write, tmp_path: Path, name: str, text: str, kind: str, message: str) -> None:
    write(name, text)
    with pytest.raises(UsageError, match=rf"^space\.kind: .*{message}"):
        find(kind, tmp_path)


@pytest.mark.parametrize(
    ("line", "raised"),
    [
        ("exit()", "SystemExit: None"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("import argparse; p = argparse.ArgumentParser(); p.add_argument('data'); p.parse_args()", "SystemExit: 2"),
    ],
)
def test_a_plugin_does_not_end_the_process_that_imports_it(write, tmp_path: Path, line: str, raised: str) -> None:
    write("ends.py", f"{line}\n{dedent(GOOD)}")
    message = rf"space.kind: importing .*ends.py would have ended the process \({raised}\).*if __name__ =="
    with pytest.raises(UsageError, match=message):
        Registry(tmp_path).find("spaces", "ends:Mine", "space")
    assert "ends" not in sys.modules


def test_a_plugin_does_not_see_our_command_line(write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["qd", "run", "run.yaml"])
    write("parses.py", f"import argparse, sys\nargparse.ArgumentParser().parse_args()\nseen = sys.argv\n{dedent(GOOD)}")
    Registry(tmp_path).find("spaces", "parses:Mine", "space")
    assert sys.modules["parses"].seen == [str(tmp_path / "parses.py")]
    assert sys.argv == ["qd", "run", "run.yaml"]


def test_a_persons_ctrl_c_during_an_import_is_theirs(write, tmp_path: Path) -> None:
    write("slow.py", f"import signal\nsignal.raise_signal(signal.SIGINT)\n{dedent(GOOD)}")
    with pytest.raises(KeyboardInterrupt):
        Registry(tmp_path).find("spaces", "slow:Mine", "space")


@pytest.mark.parametrize("method", ["__init__", "bind"])
def test_a_constructor_does_not_end_the_process(workbench, method: str) -> None:
    text = workbench.plugin.read_text()
    arguments = "self" if method == "__init__" else "self, space"
    workbench.plugin.write_text(f"{text}\nclass Quits(Table):\n    def {method}({arguments}): exit('bye')\n")
    file = workbench.write(evaluator={"kind": f"{workbench.module}:Quits"})
    with pytest.raises(UsageError, match=r"evaluator: Quits.* would have ended the process \(SystemExit: bye\)"):
        qd.run(file, out="never")
    assert not (workbench.folder / "never").exists()


def test_a_plugin_that_was_mended_is_imported_again(write, tmp_path: Path) -> None:
    write("mine_mended.py", "1 / 0\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="ZeroDivisionError"):
            find("mine_mended:Mine", tmp_path)
    write("mine_mended.py", GOOD + "    # longer, so that no stale bytecode fits\n")
    assert find("mine_mended:Mine", tmp_path).__name__ == "Mine"


def test_plugins_of_the_same_name_in_two_folders_are_two(write, tmp_path: Path) -> None:
    write("one/mine_twice.py", GOOD + "    Mine.here = 1\n")
    write("two/mine_twice.py", GOOD + "    Mine.here = 2\n")
    found = [vars(find("mine_twice:Mine", tmp_path / folder))["here"] for folder in ("one", "two", "one")]
    assert found == [1, 2, 1]


def test_a_change_of_source_changes_the_digest(write, tmp_path: Path) -> None:
    path = write("mine_digest.py", GOOD)
    found = find("mine_digest:Mine", tmp_path)
    before = source_digest(found)
    assert source_digest(found) == before
    path.write_text(path.read_text() + "# changed\n")
    assert source_digest(found) != before


# ---------------------------------------------------------- construction


class Widget:
    def __init__(
        self,
        engine: object,
        size: int,
        rate: Annotated[float, Field(gt=0)] = 0.5,
        mode: Literal["fast", "slow"] = "fast",
        folder: Path | None = None,
        shapes: list[tuple[int, int]] | None = None,
        anything=None,
    ) -> None:
        if size < 0:
            raise ValueError(f"size: expected at least 0, got {size}")
        self.values = (engine, size, rate, mode, folder, shapes, anything)


class Open:
    def __init__(self, **options: object) -> None:
        self.options = options


class Keys(TypedDict, total=False):
    epochs: int


class Unpacking:
    def __init__(self, size: int = 1, **keys: Unpack[Keys]) -> None:
        self.given = (size, keys)


class Plain:
    pass


class Unresolvable:
    def __init__(self, size: "NotImported" = 3) -> None:  # noqa: F821 # pyright: ignore[reportUndefinedVariable]
        self.size = size


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ({"size": 3}, (3, 0.5, "fast", None, None, None)),
        ({"size": 3, "rate": 2}, (3, 2.0, "fast", None, None, None)),
        ({"size": 3, "mode": "slow", "folder": "a/b"}, (3, 0.5, "slow", Path("a/b"), None, None)),
        ({"size": 3, "shapes": [[1, 2], [3, 4]]}, (3, 0.5, "fast", None, [(1, 2), (3, 4)], None)),
        ({"size": 3, "anything": {"a": [1]}}, (3, 0.5, "fast", None, None, {"a": [1]})),
    ],
)
def test_arguments_are_the_keys_of_the_run_file(arguments: dict, values: tuple) -> None:
    assert Registry().construct(Widget, arguments, "space", engine="given").values == ("given", *values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 3, "rat": 1}, "space.rat: unknown key; did you mean 'rate'?"),
        ({"size": 3, "engine": 1}, "space.engine: unknown key; known: rate, mode, folder, shapes, anything, kind"),
        ({}, "space.size: this key is missing; Widget needs it"),
        ({"size": "3"}, "space.size: input should be a valid integer, got '3'"),
        ({"size": 3.0}, "space.size: input should be a valid integer, got 3.0"),
        ({"size": True}, "space.size: input should be a valid integer, got True"),
        ({"size": None}, "space.size: input should be a valid integer, got None"),
        ({"size": 3, "rate": 0}, "space.rate: input should be greater than 0, got 0"),
        ({"size": 3, "mode": "fats"}, "space.mode: input should be 'fast' or 'slow', got 'fats'"),
        ({"size": 3, "shapes": [[1, 2], [1, "x"]]}, "space.shapes[1][1]: input should be a valid integer, got 'x'"),
        ({"size": -1}, "space: size: expected at least 0, got -1"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Registry().construct(Widget, arguments, "space", engine="given")


def test_a_constructor_may_take_any_keys_or_none_or_leave_them_unchecked() -> None:
    assert Registry().construct(Open, {"a": 1, "b": [2]}, "space").options == {"a": 1, "b": [2]}
    assert isinstance(Registry().construct(Plain, {}, "space"), Plain)
    with pytest.raises(UsageError, match=r"space\.a: unknown key; known: kind"):
        Registry().construct(Plain, {"a": 1}, "space")
    assert Registry().construct(Unresolvable, {"size": "any"}, "space").size == "any"


def test_keys_that_several_classes_share_are_checked_like_any_other() -> None:
    assert Registry().construct(Unpacking, {"size": 2, "epochs": 3}, "space").given == (2, {"epochs": 3})
    assert Registry().construct(Unpacking, {}, "space").given == (1, {})
    with pytest.raises(UsageError, match=r"space\.epoch: unknown key; did you mean 'epochs'"):
        Registry().construct(Unpacking, {"epoch": 3}, "space")
    with pytest.raises(UsageError, match=r"space\.epochs: input should be a valid integer, got 'many'"):
        Registry().construct(Unpacking, {"epochs": "many"}, "space")


def test_an_abstract_class_is_refused() -> None:
    with pytest.raises(UsageError, match="evaluator: Can't instantiate abstract class Evaluator"):
        Registry().construct(Evaluator, {}, "evaluator")
