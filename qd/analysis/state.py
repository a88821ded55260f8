"""Whether a run goes on, and how it ended: one answer for everyone who asks."""

from __future__ import annotations

import socket
from typing import NamedTuple

from ..candidates import Status
from ..store.folder import on_network
from ..store.reader import LogReader
from ..store.resume import last_session
from ..wording import none_is_ok
from .failures import failures

WORDS = {
    "budget used": "finished",
    "no more gain": "finished",
    "space exhausted": "finished",
    "interrupted": "stopped",
    "failed": "failed",
}
"""{how the last session ended, as its log says: the state}."""
REASONS = ("no more gain", "space exhausted")
"""Endings that are told beside the state."""


class State(NamedTuple):
    """How a run stands.

    Args:
        word: running; finished; stopped (by Ctrl-C); failed; killed (it ended without a word, as after `kill -9`); or
            unknown, where its machine is another one and its lock cannot be seen from here.
        reason: of a failure, and what else there is to say; else empty.
    """

    word: str
    reason: str = ""


def state_of(run: LogReader) -> State:
    """Of a run that may be anywhere, also in a folder that cannot be written to."""
    ending = run.meta("ending")
    if ending is None:
        return State(_without_a_word(run))
    word = WORDS.get(str(ending), str(ending))
    if word == "failed":
        return State(word, str(last_session(run).process.get("failure", "")))
    if word == "finished" and (reason := nothing_ok(run)):
        return State("failed", reason)
    return State(word, str(ending) if ending in REASONS else "")


def nothing_ok(run: LogReader) -> str | None:
    """Of a run whose every evaluation failed or was invalid: that, and the most frequent reason; else None."""
    counts = run.counts
    if counts.get(Status.OK) or not sum(counts.values()):
        return None
    said = f"all evaluations {none_is_ok(counts.get(Status.INVALID, 0), sum(counts.values()))}"
    causes = failures(run)  # an accepted log keeps none
    if not causes:
        return said
    return f"{said}; the most frequent reason ({causes[0].count} times):\n\n{causes[0].example.strip()}\n"


def _without_a_word(run: LogReader) -> str:
    # The lock and no process number says who runs it: that is given to others in time.
    locked = run.folder.is_locked()
    if locked:
        return "running"
    host = last_session(run).process.get("host", socket.gethostname())
    if locked is None or (host != socket.gethostname() and on_network(run.folder.place)):
        return "unknown"
    return "killed"
