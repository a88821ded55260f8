"""Runs the code of plug-ins: a module without a command line, which may fail and may not end the process."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from .errors import UsageError
from .interrupts import Interrupted, told_apart
from .precision import single_precision


@contextlib.contextmanager
def importing(what: str, program: str, folder: Path | None = None) -> Iterator[None]:
    """Import a stranger's code as a program without options: our command line is none of its business.

    Args:
        what: is done, for messages.
        program: its name in `sys.argv`.
        folder: whose lines messages name.
    """
    arguments, sys.argv = sys.argv, [program]
    try:
        with not_ending(what):
            yield
    except (UsageError, Interrupted):
        raise
    except Exception as error:
        lines = [one for one in traceback.extract_tb(error.__traceback__) if folder in Path(one.filename).parents]
        at = f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})" if lines else ""
        raise UsageError(f"{what} failed: {type(error).__name__}: {error}{at}") from error
    finally:
        sys.argv = arguments


@contextlib.contextmanager
def not_ending(what: str) -> Iterator[None]:
    """Run a stranger's code, which may raise any `Exception`, and may not end the process.

    What it sets as torch's default type of numbers does not outlive it.

    Raises:
        UsageError: it tried to.
    """
    try:
        with told_apart(), single_precision():
            yield
    except (Exception, Interrupted):
        raise
    except BaseException as error:
        raise UsageError(
            f"{what} would have ended the process ({type(error).__name__}: {error}). A plug-in is used as a module and"
            ' has no command line: put what reads options, runs or exits under `if __name__ == "__main__":`'
        ) from error
