"""Commands whose errors speak of options: the library names its parameters, the command line adds the dashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

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


def with_options(message: str, parameters: Sequence[Any]) -> str:
    """Replace `parameter` by --option, where a command has it; other words in backticks stay."""
    options: dict[str, str] = {}
    for one in parameters:
        if isinstance(one, TyperOption):
            option = one.opts[0]
            options |= {str(one.name): option, option.lstrip("-").replace("-", "_"): option}
    return PARAMETER.sub(lambda match: options.get(match[1], match[0]), message)
