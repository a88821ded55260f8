"""Commands whose errors speak of options: the library names its parameters, the command line adds the dashes.

None of them is ended by code that it calls, such as a plug-in's `exit()`: that is an error, which names the place.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from ..errors import QdError

PARAMETER = re.compile(r"`([a-z_]+)`")


class Command(TyperCommand):
    """A command as every `app.command(cls=Command)` makes it."""

    def invoke(self, ctx: Any) -> Any:
        """Run it; where the library refuses a parameter, name the option that gave it."""
        try:
            return super().invoke(ctx)
        except QdError as error:
            error.args = (with_options(str(error), self.params),)
            raise
        except SystemExit as error:
            place = _raised_at(error)
            if place is None:
                raise
            code = "" if error.code is None else error.code
            raise QdError(
                f"{place}: exit({code}) was called while {ctx.command_path} ran; expected an answer or an exception."
                " Mend it, and call the command again"
            ) from error


def _raised_at(error: SystemExit) -> str | None:
    """The line of code outside the command line that raised it; None where the command line ends itself."""
    frames = traceback.extract_tb(error.__traceback__)  # the last may be that of `exit`, which `site` defines
    place = next(frame for frame in reversed(frames) if "_sitebuiltins" not in frame.filename)
    own = (Path(__file__).parent, Path(typer.__file__).parent)
    inside = any(Path(place.filename).is_relative_to(folder) for folder in own)
    return None if inside else f"{place.filename}, line {place.lineno}"


def with_options(message: str, parameters: Sequence[Any]) -> str:
    """Replace `parameter` by --option, where a command has it; other words in backticks stay."""
    options: dict[str, str] = {}
    for one in parameters:
        if isinstance(one, TyperOption):
            option = one.opts[0]
            options |= {str(one.name): option, option.lstrip("-").replace("-", "_"): option}
    return PARAMETER.sub(lambda match: options.get(match[1], match[0]), message)
