"""Imports plug-ins from a folder: every module once, by the name that its author gave it.

Python knows a module by its name alone, so that two folders with a `helper.py` each would share one of them, and a file
that was edited would stay as it was. Therefore one folder of plug-ins has its modules in `sys.modules` at a time, while
those of the others are set aside until it is their turn again. Names stay as they are, so that whatever imports by name
(pickle, a pool of processes, a function that imports when it is called) finds the same modules.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import ClassVar

logger = logging.getLogger(__name__)

NO_PLUGINS = sys.stdlib_module_names | {"qd", "search_spaces", "evaluators", "__main__"}
"""Names that a file of the folder never takes: Python's, and ours."""
SITES = {"site-packages", "dist-packages"}
"""Folders in which installed packages lie."""
LIBRARY = Path(os.__file__).parent
"""Where Python's own modules lie."""


class PluginFolder(MetaPathFinder):
    """The modules of one folder, in this process. `PluginFolder.at` gives it.

    While it is at hand, its files go before what else is on Python's path, such as the working directory, and after
    Python's own modules and installed packages: these they shadow for nobody. Afterwards they stay importable, after
    all else, until another folder is at hand. It is so in all threads: searches that use different folders take turns.
    """

    _known: ClassVar[dict[Path, PluginFolder]] = {}
    _entered: ClassVar[list[PluginFolder]] = []
    """Those whose turn it is, the innermost last."""
    _last: ClassVar[PluginFolder | None] = None
    _lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, path: Path) -> None:
        self.path = path
        self._modules: dict[str, ModuleSpec] = {}
        self._digests: dict[Path, str] = {}
        """Of all files that were imported, and of those that an import statement in them names."""
        self._reached: dict[str, Path] = {}
        """{module: file} that import statements name, from the plug-ins on."""
        self._sources: dict[str, set[Path]] = {}
        """{plug-in: its file, and those of its neighbours that it takes}"""
        self._aside: dict[str, ModuleType] = {}
        self._strangers: dict[str, ModuleType] = {}
        """Modules from elsewhere that have the name of one of the folder's, while it is at hand."""
        self._on_path = False

    @classmethod
    def at(cls, folder: Path) -> PluginFolder:
        """That of a folder, which is the same for all paths to it."""
        path = folder.resolve()
        return cls._known.setdefault(path, cls(path))

    @contextlib.contextmanager
    def at_hand(self) -> Iterator[None]:
        """Let imports find its modules first; those of another folder are set aside."""
        with self._lock:
            self._switch([*self._entered, self])
        try:
            yield
        finally:
            with self._lock:
                outer = self._entered[::-1]
                outer.remove(self)
                self._switch(outer[::-1])

    @classmethod
    def _switch(cls, entered: list[PluginFolder]) -> None:
        before, now = [*cls._entered[-1:]], [*entered[-1:]]
        cls._entered = entered
        if before != now:
            for folder in before:
                folder._step_back()
            for folder in now:
                folder._step_forward()

    def _step_forward(self) -> None:
        last, PluginFolder._last = PluginFolder._last, self
        if last and last is not self:
            last._put_aside(last._loaded())
            if last._on_path and str(last.path) in sys.path:
                sys.path.remove(str(last.path))
        self._take_over(self._reached)
        sys.modules.update(self._aside)
        self._aside = {}
        sys.meta_path.insert(0, self)
        if str(self.path) not in sys.path:  # for processes that a plug-in starts; last: it shadows nobody
            sys.path.append(str(self.path))
            self._on_path = True

    def _step_back(self) -> None:
        sys.meta_path.remove(self)
        shared = {_top(name) for name in self._strangers}
        self._put_aside(name for name in self._loaded() if _top(name) in shared)
        sys.modules.update(self._strangers)
        self._strangers = {}

    def _loaded(self) -> list[str]:
        return [name for name, spec in self._modules.items() if _spec(sys.modules.get(name)) is spec]

    def _put_aside(self, names: Iterable[str]) -> None:
        self._aside |= {name: sys.modules.pop(name) for name in names}

    def file(self, name: str) -> Path | None:
        """The file of a module that lies in the folder; None: there is none."""
        stem = self.path.joinpath(*name.split("."))
        choice = (stem / "__init__.py", stem.with_name(f"{stem.name}.py"))
        return next((path for path in choice if path.is_file()), None)

    def owner(self, name: str) -> str | None:
        """Where else a module of this name is, that goes before one of the folder; None: the name is free."""
        top = _top(name)
        if top in self._modules:
            return None
        places = _places(_spec(sys.modules[top]) if top in sys.modules else self._elsewhere(top, None))
        if top in NO_PLUGINS:
            return places[0] if places else "Python itself"
        taken = (one for one in places if SITES & set(Path(one).parts) or Path(one).parent == LIBRARY)
        return next((place for place in taken if not self._holds(place)), None)

    def load(self, name: str) -> ModuleType:
        """Import a plug-in that lies in the folder; afresh, where one of the files that it is made of was edited.

        Raises:
            BaseException: whatever its code raises; then nothing of it stays behind.
        """
        with self._lock, self.at_hand():
            if any(digest != _digest(file) for file, digest in self._digests.items()):
                self._forget()
            if name in self._sources and name in self._loaded():
                return sys.modules[name]
            if getattr(_spec(sys.modules.get(name)), "_initializing", False):
                raise ImportError(
                    f"{name} is being imported, and begins a search of its own meanwhile; write what begins it under"
                    ' `if __name__ == "__main__":`'
                )
            reached = self._reach(name)
            self._reached |= reached
            self._take_over(reached)
            importlib.invalidate_caches()
            before, known = set(sys.modules), set(self._digests)
            try:
                module = importlib.import_module(name)
            except BaseException:
                for new in set(self._loaded()) - before:
                    del sys.modules[new], self._modules[new]
                raise
            self._digests |= {file: _digest(file) for file in reached.values() if file not in self._digests}
            self._sources[name] = {*reached.values(), *(set(self._digests) - known)}
            return module

    def digests(self, name: str) -> dict[str, str]:
        """{file, relative to the folder: SHA-256} of a plug-in that was loaded, and of its neighbours that it takes."""
        files = {file: self._digests[file] for file in self._sources[name]}
        return {Path(os.path.relpath(file, self.path)).as_posix(): digest for file, digest in sorted(files.items())}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """What Python asks first of all when a module is imported that it does not have yet."""
        parent = name.rpartition(".")[0]
        if parent and parent not in self._modules:
            return None
        spec = PathFinder.find_spec(name, path if parent else [str(self.path)])
        if spec is None or (not parent and self.owner(name)):
            return None
        if not spec.has_location and not parent and self._elsewhere(name, path):
            return None  # a folder without __init__.py goes after all else of this name
        self._modules[name] = spec
        if spec.origin and spec.has_location:
            self._digests[Path(spec.origin)] = _digest(Path(spec.origin))
        if isinstance(spec.loader, SourceFileLoader):
            spec.loader = _SourceLoader(name, spec.loader.path)
        return spec

    def _elsewhere(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path) if finder is not self else None
            if spec is not None and not any(map(self._holds, _places(spec))):
                return spec
        return None

    def _holds(self, place: str) -> bool:
        return Path(place).parent.resolve() == self.path

    def _forget(self) -> None:
        for name in self._loaded():
            del sys.modules[name]
        self._modules, self._digests, self._reached, self._sources = {}, {}, {}, {}

    def _reach(self, name: str) -> dict[str, Path]:
        """{module: file} of a plug-in and of what its import statements reach in the folder, also within functions."""
        found: dict[str, Path] = {}
        waiting = [(name, None)]
        while waiting:
            name, importer = waiting.pop()
            parts = name.split(".")
            for one in (".".join(parts[: end + 1]) for end in range(len(parts))):
                file = self.file(one)
                if file is None or one in found:
                    continue
                if owner := self.owner(one):
                    if Path(owner) not in (file, file.parent):
                        logger.warning(
                            f"{importer} imports {one!r}, which is {owner} and never {file};"
                            " give that file another name"
                        )
                    break
                found[one] = file
                package = one if file.name == "__init__.py" else one.rpartition(".")[0]
                waiting += [(other, file) for other in _imported_names(file, package)]
        return found

    def _take_over(self, reached: dict[str, Path]) -> None:
        """Make those the folder's own that were imported from it before; set aside what has their names."""
        tops = {top for top in map(_top, reached) if _spec(sys.modules.get(top)) is not self._modules.get(top)}
        loaded: dict[str, dict[str, ModuleType]] = {}
        for name, module in list(sys.modules.items()):
            if _top(name) in tops:
                loaded.setdefault(_top(name), {})[name] = module
        for top, modules in loaded.items():
            if top not in self._aside and any(_is_from(module, reached.get(name)) for name, module in modules.items()):
                self._modules |= {name: spec for name, module in modules.items() if (spec := _spec(module))}
                continue
            self._strangers |= modules
            for name in modules:
                del sys.modules[name]


class _SourceLoader(SourceFileLoader):
    """Reads the source alone: bytecode passes for current where a file was edited twice within a second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # deleted, or not to be read: whoever imports it says so
        return ""


def _top(name: str) -> str:
    return name.partition(".")[0]


def _spec(module: ModuleType | None) -> ModuleSpec | None:
    return getattr(module, "__spec__", None)


def _places(spec: ModuleSpec | None) -> list[str]:
    """The file of a module, or the folder of a package: what lies directly where Python looked; none of builtins."""
    if spec is None:
        return []
    return list(spec.submodule_search_locations or ([spec.origin] if spec.origin and spec.has_location else []))


def _is_from(module: ModuleType, file: Path | None) -> bool:
    origin = getattr(_spec(module), "origin", None)
    return file is not None and origin is not None and Path(origin).exists() and file.samefile(origin)


def _imported_names(file: Path, package: str) -> Iterator[str]:
    """Dotted names that may be modules, of all import statements in a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns when it compiles the file
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # the import itself says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            with contextlib.suppress(ImportError):  # beyond the topmost package
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                yield from (f"{base}.{alias.name}" for alias in node.names)
