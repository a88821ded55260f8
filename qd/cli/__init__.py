"""The command line: thin. What it does, a person can also call from Python."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import QdError
from .options import Command
from .output import note, notes_of_the_library
from .streams import lasting_streams

FIRST = ("run", "resume", "show", "elites", "map", "plot", "compare", "report", "serve", "verify", "export")
"""Commands in the order in which a person meets them; the others follow by name."""
GROUP = "qd.commands"
"""Entry points of installed packages that are commands, too: a function as typer takes it, or a `typer.Typer`."""


class Own(Mapping[str, Any]):
    """{name: command} of what the files of this folder define; a file is imported when its command is asked for.

    A file defines a command by a function of its own name, or several by a `typer.Typer` called `app`.
    """

    def __init__(self) -> None:
        files = {info.name.strip("_").replace("_", "-"): info.name for info in pkgutil.iter_modules(__path__)}
        self._files = {name: files[name] for name in [*FIRST, *sorted(files.keys() - {*FIRST})]}
        self._made: dict[str, Any] = {}

    def definition(self, name: str) -> tuple[ModuleType, Any] | None:
        """The file's module, and the function or the `typer.Typer` in it; None where the file defines no command."""
        if name not in self._files:
            return None
        module = importlib.import_module(f"{__name__}.{self._files[name]}")
        if isinstance(group := getattr(module, "app", None), typer.Typer):
            return module, group
        function = getattr(module, self._files[name], None)
        its_own = inspect.isfunction(function) and function.__module__ == module.__name__
        return (module, function) if its_own else None

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            found = self.definition(name)
            if found is None:
                raise KeyError(name)
            module, defined = found
            if isinstance(defined, typer.Typer):
                command: Any = typer.main.get_group(defined)
                command.name = name
            else:
                command = _single(name, defined, cls=getattr(module, "CLASS", Command))
            self._made[name] = command
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._files if self.definition(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Commands(TyperGroup):
    """The commands of this folder, and those of installed packages, which are looked up when one is asked for."""

    commands: Any
    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Names for the help: ours first."""
        own = list(self.commands)
        return own + sorted(importlib.metadata.entry_points(group=GROUP).names - {*own})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Ours, or the one that an installed package brings; while the help is written, ours without any options."""
        found = self.commands.definition(cmd_name)
        if found is None:
            points = importlib.metadata.entry_points(group=GROUP, name=cmd_name)
            return next((_installed(point) for point in points), None)
        if self._listing:
            _, defined = found
            about = defined.info.help if isinstance(defined, typer.Typer) else inspect.getdoc(defined)
            return TyperCommand(cmd_name, help=about)
        return self.commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: what each command says of itself. To build the options of all takes as long as the rest."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _single(name: str, function: Any, **settings: Any) -> Any:
    """The command that a function is."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
    app.command(name, **settings)(function)
    return typer.main.get_command(app)


def _installed(point: importlib.metadata.EntryPoint) -> Any:
    """The command that an entry point names; one that says why, where it cannot be imported."""
    settings: dict[str, Any] = {}
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        reason = f"{point.name}: importing {point.value} failed: {type(error).__name__}: {error}"
        settings = {"ignore_unknown_options": True, "allow_extra_args": True}

        def found() -> None:
            """Cannot be imported: call it to see why."""
            raise QdError(reason)

    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    return _single(point.name, found, context_settings=settings)


def application() -> Commands:
    """`qd` as a whole."""
    about = "Quality-diversity search for modular neural networks: launch a search, inspect its map, export the best."
    own: Any = Own()
    return Commands(name="qd", commands=own, help=about, no_args_is_help=True, rich_markup_mode="markdown")


def commands() -> dict[str, TyperCommand]:
    """{words: command} of all that there are, such as "run" and "library build"."""

    def within(group: TyperGroup, before: str) -> dict[str, TyperCommand]:
        found: dict[str, TyperCommand] = {}
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                found |= within(command, f"{before}{name} ")
            else:
                assert isinstance(command, TyperCommand)
                found[before + name] = command
        return found

    return within(application(), "")


def main() -> None:
    """The `qd` command: errors that a person can fix are shown without a traceback."""
    with lasting_streams():
        try:
            with notes_of_the_library():
                application()()
        except QdError as error:
            note(f"qd: {error}")
            sys.exit(error.exit_status)
        except KeyboardInterrupt:
            note("qd: interrupted")
            sys.exit(130)
        except OSError as error:  # a picture or an export on a full disk, or where nothing may be written
            note(f"qd: {error}")
            sys.exit(1)
