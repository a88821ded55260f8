"""Ctrl-C and its like while something runs that ends in order; processes that are forked meanwhile end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from ..interrupts import interrupt


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """The first Ctrl-C, SIGTERM or SIGHUP (a closed terminal) sets the event; a second Ctrl-C or SIGTERM ends at once.

    Only the main thread receives signals. SIGHUP stays ignored where it was, as under nohup.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, frame: Any) -> None:
        if event.is_set() and number != signal.SIGHUP:  # which a shell and the system may both send
            interrupt(number, frame)
        event.set()

    _handlers_before.append(before)
    for number in before:
        signal.signal(number, note)
    try:
        yield event
    finally:
        _handlers_before.remove(before)
        for number, handler in before.items():
            signal.signal(number, handler)


_handlers_before: list[dict[signal.Signals, Any]] = []
"""What is restored at the end of every `interruptible` under way, the outermost first."""
ENDING_CHILDREN = (signal.SIGTERM, signal.SIGHUP)
"""What ends a forked child, as it would without a search: `Process.terminate()` of an evaluator's pool.

Ctrl-C is left to the driver: a terminal sends it to the children too, and what is under way is to be finished.
"""
_forking = threading.local()


def _before_fork() -> None:
    """Hold signals back, so that none reaches a child that still has the driver's handlers."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_CHILDREN) if _handlers_before else None


def _after_fork() -> None:
    if _forking.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _after_fork_in_child() -> None:
    for before in reversed(_handlers_before):
        for number in before.keys() & ENDING_CHILDREN:
            signal.signal(number, before[number])
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
