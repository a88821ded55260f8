"""The command line: thin. What it does, a person can also call from Python."""

from __future__ import annotations

import sys

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import QdError
from . import (
    compare,
    doctor,
    elites,
    evaluators,
    export,
    import_,
    importance,
    library,
    map,
    plot,
    report,
    resume,
    run,
    serve,
    show,
    spaces,
    stream,
    train,
    verify,
)
from .output import note, notes_of_the_library

app = typer.Typer(
    name="qd",
    help="Quality-diversity search for modular neural networks: launch a search, inspect its map, export the best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    run,
    resume,
    show,
    elites,
    map,
    plot,
    compare,
    importance,
    report,
    serve,
    export,
    verify,
    train,
    stream,
    spaces,
    evaluators,
    doctor,
):
    app.command()(getattr(command, command.__name__.rpartition(".")[2]))
app.command("import")(import_.import_)
app.add_typer(library.app, name="library")


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
    try:
        with notes_of_the_library():
            app()
    except QdError as error:
        note(f"qd: {error}")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        note("qd: interrupted")
        sys.exit(130)
    except BrokenPipeError:  # `qd elites … | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a picture or an export on a full disk, or where nothing may be written
        note(f"qd: {error}")
        sys.exit(1)
