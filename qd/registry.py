"""Finds what a run file or a command names, and builds it from the keys beside `kind`.

Every open set is a room of `ROOMS`, and a kind of it is found in the same way:

- A name (`sparse_moe`) is a file of the room (`search_spaces/sparse_moe`).
- A dotted path (`my_file:MySpace`) is a class in the folder of the run file, or in one that the person names; it is
  imported from nowhere else.
- Another name is an entry point of an installed package, in the group `qd.<room>`; names of our own come first.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import logging
import pkgutil
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any

from .errors import LONGEST_REASON, UsageError, clipped, shown, suggest
from .plain_data import typed
from .plugins import PluginFolder
from .strangers import importing, not_ending

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Room:
    """An open set of kinds.

    Args:
        base: module and class of the contract that each of them keeps; imported when one is looked for.
        packages: whose files are the names.
        beside: files that define one which nobody names.
    """

    base: str
    packages: tuple[str, ...]
    beside: frozenset[str] = frozenset()

    @property
    def contract(self) -> type[Any]:
        """The base class."""
        module, _, name = self.base.partition(":")
        return getattr(importlib.import_module(module), name)


ROOMS = {
    "spaces": Room("search_spaces.base:SearchSpace", ("search_spaces",)),
    "modules": Room("search_spaces.shelf.base:ShelfModule", ("search_spaces.shelf",)),
    "evaluators": Room("evaluators.base:Evaluator", ("evaluators",)),
    "data": Room("evaluators.data.base:DataSet", ("evaluators.data",), frozenset({"idx_images"})),
    "emitters": Room("qd.emitters.base:Emitter", ("qd.emitters", "qd.emitters.baselines")),
    "archives": Room("qd.archives.base:Archive", ("qd.archives",), frozenset({"recorded"})),
    "executors": Room("qd.executors.base:Executor", ("qd.executors",)),
    "metrics": Room("qd.metrics.base:NetworkMetric", ("qd.metrics",)),
    "plots": Room("qd.plots.base:Plot", ("qd.plots",)),
}
"""{room: what is open there}; the entry points of installed packages are in the groups `qd.<room>`."""


class Registry:
    """Finds and builds kinds for one run.

    Args:
        folder: where dotted paths are looked up; None: nowhere.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._plugins = PluginFolder.at(folder) if folder else None
        self._found: dict[str, str] = {}
        self._neighbours: dict[str, str] = {}

    @property
    def digests(self) -> dict[str, str]:
        """{kind: SHA-256 of its file} of what was found so far that is not our own.

        Then {file: SHA-256} of others in the folder that those import.
        """
        kinds = set(self._found.values())
        return self._found | {file: digest for file, digest in self._neighbours.items() if digest not in kinds}

    @property
    def plugin_folder(self) -> Path | None:
        """The folder, where something was found in it."""
        return self.folder if any(map(is_plugin, self._found)) else None

    def at_hand(self) -> contextlib.AbstractContextManager[None]:
        """Let imports find what lies beside the plug-ins, and not beside those of another run in this process."""
        return self._plugins.at_hand() if self._plugins and self.plugin_folder else contextlib.nullcontext()

    def mention(self) -> None:
        """Log whose code was imported."""
        for kind in self._found:
            logger.info(f"importing {kind} from {self.folder if is_plugin(kind) else 'an installed package'}")

    def find(self, room: str, kind: str, where: str) -> type[Any]:
        """The class that `kind` names.

        Args:
            room: one of `ROOMS`.
            kind: a name, or `module:Class`.
            where: the run file's key, for messages.

        Raises:
            UsageError: there is no such kind, it cannot be imported, or it does not keep the room's contract.
        """
        base = ROOMS[room].contract
        if is_plugin(kind):
            found = self._find_in_folder(kind, where)
        else:
            own = _own(room, kind)
            if own is not None:
                return own
            found = _find_installed(room, kind, where)
        if not issubclass(found, base):
            raise UsageError(
                f"{where}.kind: {kind} is no {base.__name__}: derive it from {base.__module__}.{base.__name__}"
            )
        self._found[kind] = source_digest(found)
        return found

    def _find_in_folder(self, kind: str, where: str) -> type[Any]:
        name, _, class_name = kind.partition(":")
        if not all(part.isidentifier() for part in [*name.split("."), class_name]):
            raise UsageError(f"{where}.kind: expected my_file:MyClass, got {kind!r}")
        if self._plugins is None:
            raise UsageError(f"{where}.kind: {kind!r} is a plug-in; say where it lies with `plugins`")
        module = _load(self._plugins, name, where)
        self._neighbours |= self._plugins.digests(name)
        found = getattr(module, class_name, None)
        if not inspect.isclass(found):
            classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
            raise UsageError(
                f"{where}.kind: {name} in {self.folder} has no class {class_name!r}{suggest(class_name, classes)}"
            )
        return found

    def has_key(self, room: str, kind: str, key: str) -> bool:
        """Whether a key may stand beside a kind, as far as that can be found."""
        try:
            found = self.find(room, kind, "")
        except UsageError:  # it is told when the parts of the run are built
            return True
        return _open_ended(found) or key in keys_of(found)

    def takes_path(self, room: str, kind: str, key: str) -> bool:
        """Whether the argument of that name is annotated with `Path`, alone or among others."""
        try:
            hint = _hints(self.find(room, kind, "")).get(key)
        except UsageError:
            return False
        return hint is Path or Path in typing.get_args(hint)

    def build(
        self,
        room: str,
        kind: str,
        arguments: Mapping[str, Any],
        where: str,
        beside: Sequence[str] = ("kind",),
        **given: Any,
    ) -> Any:
        """Find a kind and construct it; arguments are those of `find` and `construct`.

        Raises:
            UsageError: naming the key.
        """
        cls = self.find(room, kind, where)
        known = [name for name in keys_of(cls) if name not in given]
        for name in arguments:
            if name not in known and not _open_ended(cls) and not difflib.get_close_matches(name, [*known, *beside]):
                others = [one for one in own_names(room) if name in keys_of(self.find(room, one, where))]
                if others and name not in given:
                    raise UsageError(
                        f"{where}.{name}: belongs to kind: {', '.join(others)}, and this is of kind: {kind}"
                    )
        return self.construct(cls, arguments, where, beside, **given)

    def construct(
        self, cls: type[Any], arguments: Mapping[str, Any], where: str, beside: Sequence[str] = ("kind",), **given: Any
    ) -> Any:
        """Call the class with the run file's keys, checked against the annotations of its `__init__`.

        An argument that is annotated with a room's contract is a kind of that room: a name, a dotted path, or a mapping
        with `kind` and the arguments of its own. One that is annotated with a dataclass is a mapping of its fields. So
        is each item of a `tuple[Contract, ...]`, and such arguments of the items of a `tuple[Item, ...]`. All of them
        may be optional, `Item | None`.

        Args:
            cls: what to build.
            arguments: the keys beside `kind`.
            where: the run file's key, for messages.
            beside: keys that stand beside the arguments, for near misses.
            **given: arguments that the engine adds itself.

        Raises:
            UsageError: an unknown, missing or ill-typed key, or a `ValueError` from the constructor.
        """
        parameters = _parameters(cls)
        known = [name for name in keys_of(cls) if name not in given]
        for name in arguments:
            if name not in known and not _open_ended(cls):
                left = [one for one in known if one not in arguments]
                raise UsageError(f"{where}.{clipped(name)}: unknown key{suggest(name, [*left, *beside])}")
        for name in known:
            if parameters[name].default is inspect.Parameter.empty and name not in arguments:
                raise UsageError(f"{where}.{name}: this key is missing; {cls.__name__} needs it")
        hints = _hints(cls)
        values: dict[str, Any] = {}
        for name, value in arguments.items():
            values[name] = self._value(hints[name], value, f"{where}.{name}") if name in hints else value
        try:
            with self.at_hand(), not_ending(f"{where}: {cls.__name__}(...)"):
                return cls(**given, **values)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{where}: {clipped(error, LONGEST_REASON)}") from error

    def _value(self, annotation: Any, value: Any, where: str) -> Any:
        annotation, optional = _without_none(annotation)
        if optional and value is None:
            return None
        room = _room_of(annotation)
        if room is not None:
            return self._component(room, value, where)
        if is_dataclass(annotation) and isinstance(annotation, type):
            return self.construct(annotation, _checked(value, dict[str, Any], where), where, ())
        room = _room_of(_item_of(annotation))
        if room is not None:
            listed = _checked(value, list[str | dict[str, Any]], where)
            return tuple(self._component(room, one, f"{where}[{index}]") for index, one in enumerate(listed))
        item = _item_with_kinds(annotation)
        if item is None:
            return _checked(value, annotation, where)
        rows = _checked(value, list[dict[str, Any]], where)
        return tuple(self.construct(item, row, f"{where}[{index}]", ()) for index, row in enumerate(rows))

    def _component(self, room: str, value: Any, where: str) -> Any:
        data = {"kind": value} if isinstance(value, str) else value
        if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str):
            raise UsageError(f"{where}: expected a name, or kind and its arguments, got {shown(value)}")
        return self.build(room, data["kind"], {key: item for key, item in data.items() if key != "kind"}, where)


def plugin_folder(plugins: Path | str | None) -> Path | None:
    """The folder that a person names for plug-ins.

    Raises:
        UsageError: there is none.
    """
    if plugins is None:
        return None
    if not Path(plugins).is_dir():
        raise UsageError(f"`plugins` {plugins}: there is no such folder; expected the one in which the plug-in lies")
    return Path(plugins)


def is_plugin(kind: str) -> bool:
    """Whether `kind` is a dotted path, and so a stranger's code in a folder."""
    return ":" in kind


def names_plugin(value: Any) -> bool:
    """Whether a kind, or anything in the arguments of one, is a dotted path to a stranger's class."""
    if isinstance(value, str):
        name, colon, class_name = value.partition(":")
        return bool(colon) and all(part.isidentifier() for part in [*name.split("."), class_name])
    if isinstance(value, Mapping):
        return any(map(names_plugin, value.values()))
    return isinstance(value, list | tuple) and any(map(names_plugin, value))


def is_own(room: str, kind: str) -> bool:
    """Whether `kind` is the name of a file of the room."""
    return not is_plugin(kind) and _own(room, kind) is not None


def is_at_hand(room: str, kind: str, folder: Path | None) -> bool:
    """Whether `kind` is ours, of an installed package, or in a folder that was given: what looking may import."""
    if is_plugin(kind):
        return folder is not None and PluginFolder.at(folder).file(kind.partition(":")[0]) is not None
    return is_own(room, kind) or any(point.name == kind for point in _entry_points(room))


def own_names(room: str) -> list[str]:
    """Kinds that are files of the room, sorted."""
    return sorted(name for name in _files(room) if _own(room, name) is not None)


def names(room: str) -> list[str]:
    """Kinds of a room that have a name, those of installed packages included, sorted."""
    return sorted({*own_names(room), *(point.name for point in _entry_points(room))})


def installed_names(room: str) -> list[str]:
    """Kinds of a room that installed packages bring, sorted; our own of the same name come first."""
    return sorted({point.name for point in _entry_points(room) if not is_own(room, point.name)})


def source_digest(cls: type) -> str:
    """SHA-256 of the file that defines a class: whether a stranger's code has changed since."""
    try:
        return hashlib.sha256(Path(inspect.getsourcefile(cls) or "").read_bytes()).hexdigest()
    except (OSError, TypeError):  # it has none: made in a notebook, or inside an archive
        return ""


@cache
def _files(room: str) -> dict[str, str]:
    """{name: module} of the files that may define a kind."""
    packages = ROOMS[room].packages
    found: dict[str, str] = {}
    for package in packages:
        spec = importlib.util.find_spec(package)  # the package itself may import all that is in it
        for module in pkgutil.iter_modules(spec.submodule_search_locations if spec else None):
            full = f"{package}.{module.name}"
            if full not in packages and module.name not in ROOMS[room].beside:
                found[module.name] = full
    return found


def _own(room: str, name: str) -> type[Any] | None:
    """The one public class of the room's contract that the file defines, or None; a folder may have it in a file."""
    if name not in _files(room):
        return None
    base = ROOMS[room].contract
    module = importlib.import_module(_files(room)[name])
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value is not base
        and not inspect.isabstract(value)
        and not value.__name__.startswith("_")
    ]
    here = [one for one in classes if one.__module__ == module.__name__]
    inside = [one for one in classes if one.__module__.startswith(f"{module.__name__}.")]
    return next(iter([*here, *inside]), None)


def _entry_points(room: str) -> list[importlib.metadata.EntryPoint]:
    return list(importlib.metadata.entry_points(group=f"qd.{room}"))


def _find_installed(room: str, kind: str, where: str) -> type[Any]:
    base = ROOMS[room].contract
    points = [point for point in _entry_points(room) if point.name == kind]
    if not points:
        raise UsageError(
            f"{where}.kind: unknown {base.__name__} {shown(kind)}{suggest(kind, names(room))}"
            " (a plug-in's is written my_file:MyClass)"
        )
    if len({point.value for point in points}) > 1:
        given = ", ".join(f"{point.value} of {point.dist.name if point.dist else '?'}" for point in points)
        raise UsageError(f"{where}.kind: {kind!r} is the name of several installed kinds: {given}; uninstall one")
    with importing(f"{where}.kind: importing {points[0].value}, which is installed as {kind!r},", points[0].value):
        found = points[0].load()
    if not inspect.isclass(found):
        raise UsageError(f"{where}.kind: {points[0].value}, which is installed as {kind!r}, is no class")
    return found


def _load(plugins: PluginFolder, name: str, where: str) -> ModuleType:
    path = plugins.file(name)
    if path is None:
        stem = plugins.path.joinpath(*name.split("."))
        raise UsageError(
            f"{where}.kind: expected the plug-in {name!r} at {stem}.py, found nothing there;"
            " put it beside the run file or name its folder with `plugins`"
        )
    if owner := plugins.owner(name):
        raise UsageError(
            f"{where}.kind: there is another module named {name.partition('.')[0]!r} ({owner});"
            f" give {path.relative_to(plugins.path)} another name"
        )
    with importing(f"{where}.kind: importing {path}", str(path), plugins.path):
        return plugins.load(name)


def _room_of(annotation: Any) -> str | None:
    """The room whose contract an argument is annotated with."""
    if not inspect.isclass(annotation):
        return None
    named = f"{annotation.__module__}:{annotation.__qualname__}"
    return next((room for room, one in ROOMS.items() if one.base == named), None)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Of `X | None`, which is one class or None, X and True; anything else as it is, and False."""
    parts = typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, UnionType) else ()
    others = [one for one in parts if one is not NoneType]
    return (others[0], True) if len(others) == 1 and len(parts) == 2 else (annotation, False)


def _item_of(annotation: Any) -> Any:
    """The annotation of the items of a `tuple[Item, ...]`."""
    return next(iter(typing.get_args(annotation)), None) if typing.get_origin(annotation) is tuple else None


def _item_with_kinds(annotation: Any) -> type[Any] | None:
    """The class of the items of a `tuple[Item, ...]`, where an argument of theirs is a kind of a room."""
    inner = _item_of(annotation)
    if not inspect.isclass(inner) or not any(map(_room_of, _own_hints(inner).values())):
        return None
    return inner


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    """{name: parameter}; keys of a `**keys: Unpack[SomeTypedDict]` are parameters like any other."""
    if cls.__init__ is object.__init__:
        return {}
    found = {name: item for name, item in inspect.signature(cls.__init__).parameters.items() if name != "self"}
    unpacked = _unpacked(cls)
    if unpacked:
        found = {name: item for name, item in found.items() if item.kind is not inspect.Parameter.VAR_KEYWORD}
        found |= {name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in unpacked}
    return found


def _unpacked(cls: type) -> dict[str, Any]:
    """{key: annotation} of the constructor's `**keys: Unpack[SomeTypedDict]`."""
    for hint in _own_hints(cls).values():
        if typing.get_origin(hint) is typing.Unpack:
            return typing.get_type_hints(typing.get_args(hint)[0], include_extras=True)
    return {}


def keys_of(cls: type[Any]) -> list[str]:
    """The keys that may stand beside a kind, and arguments that the engine gives."""
    wanted = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, item in _parameters(cls).items() if item.kind in wanted]


def _open_ended(cls: type) -> bool:
    return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in _parameters(cls).values())


def _hints(cls: type) -> dict[str, Any]:
    return {**_own_hints(cls), **_unpacked(cls)}


def _own_hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls.__init__, include_extras=True)
    except Exception:  # a stranger's annotation that only a type checker can resolve: then nothing is checked here
        return {}


def _checked(value: Any, annotation: Any, where: str) -> Any:
    try:
        return typed(value, annotation, where)
    except ValueError as error:
        raise UsageError(str(error)) from None
