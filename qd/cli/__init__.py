"""The command line: thin. What it does, a person can also call from Python."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import sys
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


class Commands(TyperGroup):
    """The commands of this folder, and those of installed packages, which are looked up when one is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names for the help: ours first."""
        own = super().list_commands(ctx)
        return own + sorted(importlib.metadata.entry_points(group=GROUP).names - {*own})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Ours, or the one that an installed package brings."""
        own = super().get_command(ctx, cmd_name)
        found = () if own else importlib.metadata.entry_points(group=GROUP, name=cmd_name)
        return next((_installed(point) for point in found), own)


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

    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
        single.command(point.name, context_settings=settings)(found)
        found = single
    return typer.main.get_command(found)


def _add_own(app: typer.Typer) -> None:
    """Add what the files of this folder define: a function of the file's own name, or an `app` with several."""
    names = {info.name.strip("_").replace("_", "-"): info.name for info in pkgutil.iter_modules(__path__)}
    for name in [*FIRST, *sorted(names.keys() - {*FIRST})]:
        module = importlib.import_module(f"{__name__}.{names[name]}")
        function = getattr(module, names[name], None)
        if isinstance(group := getattr(module, "app", None), typer.Typer):
            app.add_typer(group, name=name)
        elif inspect.isfunction(function) and function.__module__ == module.__name__:
            app.command(name, cls=getattr(module, "CLASS", Command))(function)


app = typer.Typer(
    cls=Commands,
    name="qd",
    help="Quality-diversity search for modular neural networks: launch a search, inspect its map, export the best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
_add_own(app)


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

    whole = typer.main.get_command(app)
    assert isinstance(whole, TyperGroup)
    return within(whole, "")


def main() -> None:
    """The `qd` command: errors that a person can fix are shown without a traceback."""
    with lasting_streams():
        try:
            with notes_of_the_library():
                app()
        except QdError as error:
            note(f"qd: {error}")
            sys.exit(error.exit_status)
        except KeyboardInterrupt:
            note("qd: interrupted")
            sys.exit(130)
        except OSError as error:  # a picture or an export on a full disk, or where nothing may be written
            note(f"qd: {error}")
            sys.exit(1)
