"""What a component raises that no candidate answers for ends the search, and says whose code it was."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from search_spaces import Invalid

from ..errors import QdError
from ..interrupts import Interrupted, told_apart


class BreachError(Exception):
    """A component did not keep its contract; the message says how."""


@contextlib.contextmanager
def blamed(folder: Path, method: str, *components: object) -> Iterator[None]:
    """Run code of a component.

    Args:
        folder: of the run, for the message.
        method: of the first of the components.
        components: whose code runs.

    Raises:
        QdError: it raised something, be it `SystemExit`. Nothing of the transaction under way is in the log.
    """
    try:
        with told_apart():
            yield
    except (QdError, Interrupted):
        raise
    except BaseException as error:
        plain = isinstance(error, BreachError | Invalid)
        text = str(error) if plain else "".join(traceback.format_exception(error)).strip()
        first, *others = map(_whose, components)
        beside = f", with {', '.join(others)}" if others else ""
        raise QdError(
            f"{method} of {first}{beside} {'broke its contract' if plain else 'failed'}:\n\n{text}\n\n"
            f"All evaluations completed before are safe; fix its cause, then: qd resume {folder}"
        ) from error


def _whose(component: object) -> str:
    cls = type(component)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return f"{cls.__name__} ({file})" if file else cls.__name__
