"""Tells a person's Ctrl-C from what a stranger's code raises: `exit()`, a KeyboardInterrupt of its own, whatever."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Raised by a person's Ctrl-C. No code that is called under `told_apart` raises it by itself."""


@contextlib.contextmanager
def told_apart() -> Iterator[None]:
    """Within, every exception but `Interrupted` was raised by the code that runs there.

    A handler of the signal that somebody has set stays, such as that of a search, which raises `Interrupted` too.
    """
    # only the main thread receives signals
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt(number: int, frame: Any) -> None:
    """A handler of signals: ends what runs."""
    raise Interrupted
