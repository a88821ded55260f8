"""Finds spaces and evaluators by name or dotted path, and builds them from the run file's keys.

A name (`sparse_moe`) is a file of the room (`search_spaces/sparse_moe`). A dotted path (`my_file:MySpace`) is a file
in the folder of the run file, or in one that the person names; it is imported from nowhere else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from .errors import UsageError, suggest

T = TypeVar("T")


_imported: dict[str, tuple[Path, str]] = {}
"""{module: (file, SHA-256)} of plug-ins: one that was edited or lies elsewhere is imported anew, for notebooks."""


def find(kind: str, room: str, base: type[T], folder: Path | None, where: str) -> type[T]:
    """Return the class that `kind` names.

    Args:
        kind: `name` of a file in `room`, or `module:Class` in `folder`.
        room: "search_spaces" or "evaluators".
        base: the contract that the class must fulfil.
        folder: where a stranger's module lies.
        where: the run file's key, for messages.

    Raises:
        UsageError: there is no such file or class, it cannot be imported, or it is none of `base`.
    """
    if is_plugin(kind):
        return _find_in_folder(kind, base, folder, where)
    names = list_names(room)
    found = built_in(kind, room, base) if kind in names else None
    if found is None:
        hint = suggest(kind, [name for name in names if built_in(name, room, base)])
        raise UsageError(
            f"{where}.kind: unknown {base.__name__} {kind!r}{hint} (a plug-in's is written my_file:MyClass)"
        )
    return found


def is_plugin(kind: str) -> bool:
    """Whether `kind` is a dotted path, and so a stranger's code."""
    return ":" in kind


def list_names(room: str) -> list[str]:
    """Names of the files in a room, the shared ones included."""
    package = importlib.import_module(room)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def built_in(name: str, room: str, base: type[T]) -> type[T] | None:
    """The one public class of `base` that the file defines, or None."""
    module = importlib.import_module(f"{room}.{name}")
    for value in vars(module).values():
        if (
            inspect.isclass(value)
            and issubclass(value, base)
            and value.__module__ == module.__name__
            and not inspect.isabstract(value)
            and value is not base
            and not value.__name__.startswith("_")
        ):
            return value
    return None


def construct(
    cls: type[T], arguments: Mapping[str, Any], where: str, beside: Sequence[str] = ("kind",), **given: Any
) -> T:
    """Call the class with the run file's keys, checked against the annotations of its `__init__`.

    Args:
        cls: what to build.
        arguments: the keys beside `kind`.
        where: the run file's key, for messages.
        beside: keys that stand beside the arguments, for near misses.
        **given: arguments that the engine adds itself.

    Raises:
        UsageError: an unknown, missing or ill-typed key, or a `ValueError` from the constructor.
    """
    parameters = {name: item for name, item in _parameters(cls).items() if name not in given}
    open_ended = any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters.values())
    named = [name for name, item in parameters.items() if item.kind in (item.KEYWORD_ONLY, item.POSITIONAL_OR_KEYWORD)]
    for name in arguments:
        if name not in named and not open_ended:
            left = [known for known in named if known not in arguments]
            raise UsageError(f"{where}.{name}: unknown key{suggest(name, [*left, *beside])}")
    for name in named:
        if parameters[name].default is inspect.Parameter.empty and name not in arguments:
            raise UsageError(f"{where}.{name}: this key is missing; {cls.__name__} needs it")
    hints = _hints(cls)
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        values[name] = _checked(value, hints[name], f"{where}.{name}") if name in hints else value
    try:
        return cls(**given, **values)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from error


def source_digest(cls: type) -> str:
    """SHA-256 of the file that defines a class: whether a plug-in has changed since."""
    path = inspect.getsourcefile(cls)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    if cls.__init__ is object.__init__:
        return {}
    return {name: item for name, item in inspect.signature(cls.__init__).parameters.items() if name != "self"}


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls.__init__, include_extras=True)
    except Exception:  # a stranger's annotation that only a type checker can resolve: then nothing is checked here
        return {}


def _checked(value: Any, annotation: Any, where: str) -> Any:
    try:
        # as JSON: there a list may stand for a tuple, and a string for a path, which strict Python values may not
        return TypeAdapter(annotation).validate_json(to_json(value, inf_nan_mode="constants"), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else "" for part in first["loc"])
        message = first["msg"][0].lower() + first["msg"][1:]
        raise UsageError(f"{where}{place}: {message}, got {first['input']!r}") from None


def _find_in_folder(kind: str, base: type[T], folder: Path | None, where: str) -> type[T]:
    module_name, _, class_name = kind.partition(":")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", module_name) or not class_name.isidentifier():
        raise UsageError(f"{where}.kind: expected my_file:MyClass, got {kind!r}")
    if folder is None:
        raise UsageError(f"{where}.kind: {kind!r} is a plug-in; say where it lies with --plugins FOLDER")
    module = _import_from(folder, module_name, where)
    found = getattr(module, class_name, None)
    if not inspect.isclass(found):
        classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise UsageError(
            f"{where}.kind: {module_name} in {folder} has no class {class_name!r}{suggest(class_name, classes)}"
        )
    if not issubclass(found, base):
        raise UsageError(
            f"{where}.kind: {kind} is no {base.__name__}: derive it from {base.__module__}.{base.__name__}"
        )
    return found


def _import_from(folder: Path, module_name: str, where: str) -> ModuleType:
    folder = folder.resolve()
    stem = folder.joinpath(*module_name.split("."))
    path = next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)
    if path is None:
        raise UsageError(
            f"{where}.kind: expected the plug-in {module_name!r} at {stem}.py, found nothing there;"
            " put it beside the run file or name its folder with --plugins"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if module_name in sys.modules:
        loaded = sys.modules[module_name]
        if Path(getattr(loaded, "__file__", None) or "/").resolve() == path:  # perhaps a neighbour imported it first
            if _imported.setdefault(module_name, (path, digest)) == (path, digest):
                return loaded
        elif module_name not in _imported:
            raise UsageError(
                f"{where}.kind: a module named {module_name!r} is loaded already; give {path.name} another name"
            )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: the plug-in's neighbours are found, and shadow nobody
    if "." in module_name:
        _import_from(folder, module_name.rpartition(".")[0], where)
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    _imported[module_name] = (path, digest)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise UsageError(f"{where}.kind: importing {path} failed: {type(error).__name__}: {error}") from error
    return module
